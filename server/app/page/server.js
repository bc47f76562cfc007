// The three calls. What goes wrong is an Error with the server's sentence: `away` if no server of
// ours has answered, or one that is about to come back, `isRefusal` if the request is at fault.

const PAGE = new URL("..", import.meta.url); // may lie below the path of a proxy
const COMING_BACK = [502, 503, 504];
const LONGEST_PAUSE_SECONDS = 5;

/** `{job_id, status, …}`; null if the server knows no such job. */
export async function askStatus(jobId) {
  const answer = await get(new URL(`video/status/${encodeURIComponent(jobId)}`, PAGE));
  if (answer.status === 404) return null;
  return bodyOf(answer.status, await answer.text());
}

/** The document of the results as a Blob. Of a failed job, what goes wrong is the reason. */
export async function fetchResults(jobId) {
  const answer = await get(new URL(`video/results/${encodeURIComponent(jobId)}`, PAGE));
  if (!answer.ok) bodyOf(answer.status, await answer.text());
  try {
    return await answer.blob();
  } catch {
    throw away(); // midway
  }
}

async function get(url) {
  try {
    return await fetch(url, { cache: "no-store" });
  } catch {
    throw away();
  }
}

/**
 * Upload a video; the answer is the id of its job. `onSent(share)` is told how much has gone, and
 * `signal` ends it.
 */
export async function submit(file, pipelineId, onSent, signal) {
  await beginToRead(file);
  if (signal.aborted) throw new Error(STOPPED);
  const form = new FormData();
  form.append("pipeline_id", pipelineId);
  form.append("file", file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // which tells how much it has sent, as fetch does not
    let sentWhole = false;
    request.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
    request.upload.onload = () => (sentWhole = true);
    request.onload = () => {
      if (sentWhole && tellsNothing(request)) return reject(new Error(UNKNOWN));
      try {
        resolve(bodyOf(request.status, request.responseText).job_id);
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(sentWhole ? new Error(UNKNOWN) : away());
    request.onabort = () => reject(new Error(STOPPED));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.open("POST", new URL("video/submit", PAGE));
    request.send(form);
  });
}

/** Throws if that fails, which, when it is sent, looks like a server that is away. */
async function beginToRead(file) {
  const reader = file.stream().getReader();
  try {
    await reader.read();
  } catch {
    throw new Error("This file cannot be read: it was moved or changed, or it is a folder.");
  } finally {
    reader.cancel().catch(() => {}); // what has failed, fails again
  }
}

const STOPPED = "The upload was stopped.";
const UNKNOWN = "The upload was sent whole, but its outcome is unknown: it may have become a job.";

/** Whether an answer leaves open if there is a job: it is a proxy's, or the server fell over. */
function tellsNothing({ status, responseText }) {
  if (status === 200) return !responseText.includes('"job_id"');
  return status >= 500 && ![503, 507].includes(status);
}

function bodyOf(status, text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = {};
  }
  if (status === 200) return body;
  const refusal = new Error(body.detail ?? `The server answers ${status}.`);
  refusal.away = COMING_BACK.includes(status);
  refusal.isRefusal = status < 500;
  throw refusal;
}

function away() {
  return Object.assign(new Error("The server does not answer."), { away: true });
}

/** Pauses between asking and asking again, as the client's: a fifth of the time that has passed. */
export class Pauses {
  #passed = 0;
  #wake = () => {};

  async next() {
    const seconds =
      Math.min(0.1 + this.#passed / 5, LONGEST_PAUSE_SECONDS) * (0.8 + 0.4 * Math.random());
    this.#passed += seconds;
    await new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, 1000 * seconds);
    });
  }

  /** Something has happened: end the pause, and begin with short ones again. */
  restart() {
    this.#passed = 0;
    this.#wake();
  }
}
