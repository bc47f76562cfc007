// What was found when: of all frames, small enough to be kept.

import { detections, hasShot, labelOf, measures, summaryOf } from "./findings.js";

const LANES = 8;
const CURVES = 8;

/**
 * A row is a label and the frames, one after the other, in which it was found. Rows are in the
 * order of their first frames.
 */
export class ResultsIndex {
  frames = 0;
  #labels = new Map(); // to their numbers
  #names = [];
  #lists = []; // in which list of its result each label was found first; "" for no detection
  #latest = []; // the latest row of each label
  #rowLabels = [];
  #rowFirsts = [];
  #rowLasts = [];
  #narrowed = null; // the rows that the narrowing leaves; null for all
  #measures = new Map(); // by name, [frames, values]
  #hasMoreMeasures = false;

  /** Takes the frames in order. */
  add(result) {
    const frame = this.frames++;
    const found = detections(result);
    for (const one of found) this.#note(labelOf(one), one.list, frame);
    const summary = summaryOf(result, found);
    if (summary) this.#note(summary, hasShot(result) ? "shot" : "", frame);
    for (const [name, value] of measures(result)) this.#measure(name, value, frame);
  }

  #measure(name, value, frame) {
    if (!this.#measures.has(name)) {
      if (this.#measures.size === CURVES) {
        this.#hasMoreMeasures = true;
        return;
      }
      this.#measures.set(name, [[], []]);
    }
    const [frames, values] = this.#measures.get(name);
    frames.push(frame);
    values.push(value);
  }

  #note(label, list, frame) {
    let number = this.#labels.get(label);
    if (number === undefined) {
      number = this.#names.length;
      this.#labels.set(label, number);
      this.#names.push(label);
      this.#lists.push(list);
    }
    const row = this.#latest[number];
    if (row !== undefined && this.#rowLasts[row] >= frame - 1) {
      this.#rowLasts[row] = frame;
      return;
    }
    this.#latest[number] = this.#rowLabels.length;
    this.#rowLabels.push(number);
    this.#rowFirsts.push(frame);
    this.#rowLasts.push(frame);
  }

  /** How many rows there are, and how many are left by the narrowing. */
  counts() {
    const all = this.#rowLabels.length;
    return { all, left: this.#narrowed?.length ?? all };
  }

  /** From now on, rows and timeline are those of labels that contain `text`, in any case. */
  narrow(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) {
      this.#narrowed = null;
      return;
    }
    const fits = this.#names.map((name) => name.toLowerCase().includes(wanted));
    this.#narrowed = [];
    this.#rowLabels.forEach((label, row) => fits[label] && this.#narrowed.push(row));
  }

  rows(from, to) {
    const end = Math.min(to, this.counts().left);
    return Array.from({ length: Math.max(0, end - from) }, (_, n) => this.#row(from + n));
  }

  #row(position) {
    const row = this.#narrowed ? this.#narrowed[position] : position;
    const label = this.#names[this.#rowLabels[row]];
    return { label, first: this.#rowFirsts[row], last: this.#rowLasts[row] };
  }

  /**
   * What the timeline draws in so many columns: `lanes`, in each column 0 or more where the label
   * was found; `curves`, the lowest and the highest value in each column and in all, 0 included;
   * and whether there are labels and measures that have none of these.
   */
  timeline(columns) {
    const columnOf = (frame) => Math.floor((frame * columns) / this.frames);
    const middleOf = (frame) => columnOf(frame + 0.5);
    const endOf = (frame) => Math.ceil(((frame + 1) * columns) / this.frames);
    const seen = this.#framesByLane();
    const lanes = new Map(mostFrequent(seen).map((lane) => [lane, new Uint8Array(columns)]));
    this.#eachRow((label, first, last) => {
      const shade = this.#lists[label] === "shot" ? 1 + (label % 2) : 1;
      lanes.get(this.#laneOf(label))?.fill(shade, columnOf(first), endOf(last));
    });
    return {
      lanes: [...lanes].map(([label, shades]) => ({ label, shades })),
      moreLanes: seen.size - lanes.size,
      hasMoreCurves: this.#hasMoreMeasures,
      curves: [...this.#measures].map(([name, [frames, values]]) => ({
        name,
        ...envelope(columns, frames.map(middleOf), values),
      })),
    };
  }

  /** In how many frames what has a lane was found: all shots have one, what is measured none. */
  #framesByLane() {
    const seen = new Map();
    this.#eachRow((label, first, last) => {
      const lane = this.#laneOf(label);
      if (lane !== null) seen.set(lane, (seen.get(lane) ?? 0) + last - first + 1);
    });
    return seen;
  }

  #laneOf(label) {
    if (this.#lists[label] === "shot") return "shots";
    return this.#lists[label] || !this.#measures.size ? this.#names[label] : null;
  }

  #eachRow(visit) {
    const one = (row) => visit(this.#rowLabels[row], this.#rowFirsts[row], this.#rowLasts[row]);
    if (this.#narrowed) this.#narrowed.forEach(one);
    else for (let row = 0; row < this.#rowLabels.length; row++) one(row);
  }
}

/** Those with the highest numbers, in the order in which they turn up. */
function mostFrequent(seen) {
  const numbers = Float64Array.from(seen.values()).sort();
  const least = numbers[numbers.length - LANES] ?? 0;
  let equals = LANES - numbers.filter((number) => number > least).length;
  return [...seen.keys()].filter(
    (lane) => seen.get(lane) > least || (seen.get(lane) === least && equals-- > 0),
  );
}

function envelope(columns, at, values) {
  const low = new Float64Array(columns).fill(NaN);
  const high = new Float64Array(columns).fill(NaN);
  let lowest = 0,
    highest = 0;
  values.forEach((value, n) => {
    const column = at[n];
    if (!(low[column] <= value)) low[column] = value;
    if (!(high[column] >= value)) high[column] = value;
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  });
  return { low, high, lowest, highest };
}
