// Holds the results of one job, off the thread that draws, and answers what is asked about them.

import { answerBy } from "./answering.js";
import { confidenceOf, cornersOf, detections, labelOf, summaryOf } from "./findings.js";
import { ElementSplitter } from "./document_elements.js";
import { ResultsIndex } from "./results_index.js";
import { fetchResults } from "./server.js";

const WINDOW_BYTES = 2 * 1024 * 1024;
const MOST_IN_A_FRAME = 400; // drawn; more would be a blot

const index = new ResultsIndex();
const starts = [],
  ends = []; // of each frame's element in the document, in bytes
let held; // a Blob, which need not be in memory

const asked = {
  async load(jobId) {
    held = await fetchResults(jobId);
    try {
      await read(held);
    } catch (error) {
      throw new Error(`The results cannot be read: ${error.message}`);
    }
    return index.frames;
  },

  narrow(text) {
    index.narrow(text);
    return index.counts();
  },

  rows: (from, to) => index.rows(from, to),

  timeline: (columns) => index.timeline(columns),

  /** What to draw and to say of the frames from `from` on, as many as are read at a time. */
  async findings(from) {
    let to = from + 1;
    while (to < starts.length && to < from + 120 && ends[to] - starts[from] < WINDOW_BYTES) to++;
    const text = await held.slice(starts[from], ends[to - 1]).text();
    return JSON.parse(`[${text}]`).map(({ result }) => {
      const found = detections(result);
      const drawn = found.slice(0, MOST_IN_A_FRAME).map(drawing);
      return { total: found.length, drawn, summary: summaryOf(result, found) };
    });
  },
};

async function read(blob) {
  const splitter = new ElementSplitter((start, end, text) => {
    starts.push(start);
    ends.push(end);
    index.add(JSON.parse(text).result);
  });
  const reader = blob.stream().getReader();
  for (let piece; !(piece = await reader.read()).done;) splitter.feed(piece.value);
  splitter.finish();
}

function drawing(one) {
  const { found } = one;
  return { label: labelOf(one), confidence: confidenceOf(found), corners: cornersOf(found) };
}

answerBy(asked);
