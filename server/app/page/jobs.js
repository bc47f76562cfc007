// The jobs of this browser: their ids and names, which outlive the page, and how far they are.

import { askStatus, Pauses } from "./server.js";

const PREFIX = "forgesyte.job.";
const MOST = 200;
const OVER = ["completed", "failed", "unknown"];

/**
 * Each job is `{id, name, pipeline, added, isKept, status}`, where `status` is the server's,
 * "unknown" if it knows no such job, and undefined until it was asked; one that could not be kept
 * is listed for as long as the page is there. `onChange()` is called when anything changes;
 * `onAway(message)` when the server is away, and with "" when it is back.
 */
export class Jobs {
  #onChange;
  #onAway;
  #jobs = new Map();
  #pauses = new Pauses();

  constructor(onChange, onAway) {
    this.#onChange = onChange;
    this.#onAway = onAway;
    this.#read();
    addEventListener("storage", () => {
      this.#read();
      this.#pauses.restart();
      onChange();
    });
    this.#follow();
  }

  /** The latest first. */
  all() {
    return [...this.#jobs.values()].sort((a, b) => b.added - a.added);
  }

  get(id) {
    return this.#jobs.get(id);
  }

  /** One that is listed already keeps its name. */
  add({ id, name, pipeline = "" }) {
    if (!this.#jobs.has(id)) {
      const job = { id, name, pipeline, added: Date.now() };
      job.isKept = keep(job);
      this.#jobs.set(id, job);
      for (const { id } of this.all().slice(MOST)) this.remove(id);
    }
    this.#pauses.restart();
    this.#onChange();
  }

  /** From the list, here and in other tabs; the server keeps it. */
  remove(id) {
    this.#jobs.delete(id);
    remembered()?.removeItem(PREFIX + id);
    this.#onChange();
  }

  // Each job has a key of its own, so that two tabs do not overwrite each other's.
  #read() {
    const storage = remembered();
    if (!storage) return;
    const known = this.#jobs;
    this.#jobs = new Map([...known].filter(([, job]) => !job.isKept));
    for (const key of Object.keys(storage)) {
      if (!key.startsWith(PREFIX)) continue;
      const id = key.slice(PREFIX.length);
      const kept = parsed(storage.getItem(key));
      if (kept) this.#jobs.set(id, { status: known.get(id)?.status, id, isKept: true, ...kept });
    }
  }

  async #follow() {
    for (;;) {
      try {
        for (const job of this.all()) if (!OVER.includes(job.status)) await this.#ask(job);
        this.#onAway("");
      } catch (error) {
        this.#onAway(`${error.message} It is asked again until it does.`);
      }
      await this.#pauses.next();
    }
  }

  async #ask(job) {
    const status = await statusOf(job.id);
    const current = this.#jobs.get(job.id);
    if (!current || current.status === status) return;
    current.status = status;
    this.#pauses.restart();
    this.#onChange();
  }
}

async function statusOf(id) {
  try {
    return (await askStatus(id))?.status ?? "unknown";
  } catch (error) {
    if (error.isRefusal) return "unknown"; // what is kept is no job's id
    throw error;
  }
}

/** What was kept of a job; null if it is not of this page's making. */
function parsed(text) {
  try {
    const { name, pipeline, added } = JSON.parse(text);
    return { name: String(name), pipeline: String(pipeline), added: Number(added) };
  } catch {
    return null;
  }
}

/** Whether it could be kept: not where the browser keeps nothing, or no more. */
function keep({ id, name, pipeline, added }) {
  try {
    localStorage.setItem(PREFIX + id, JSON.stringify({ name, pipeline, added }));
    return true;
  } catch {
    return false;
  }
}

function remembered() {
  try {
    return localStorage;
  } catch {
    return null; // switched off
  }
}
