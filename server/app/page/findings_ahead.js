// What was found on the frames that are shown, asked for before they are.

const NOTHING = { drawn: [], total: 0, summary: "" };

export class FindingsAhead {
  #results;
  #count;
  #onRead;
  #from = 0;
  #frames = [];
  #isReading = false;

  /** Of the worker `results`, which holds `count` frames; `onRead()` tells that there are more. */
  constructor(results, count, onRead) {
    this.#results = results;
    this.#count = count;
    this.#onRead = onRead;
  }

  /**
   * `{drawn, total, summary}`, or null while they are not there; `frame` is null for what is no
   * frame.
   */
  at(frame) {
    if (frame === null || frame >= this.#count) return NOTHING;
    const found = this.#frames[frame - this.#from];
    const end = this.#from + this.#frames.length;
    const isPastHalf = frame > (this.#from + end) / 2 && end < this.#count;
    if (!found || isPastHalf) this.#read(frame);
    return found ?? null;
  }

  async #read(from) {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#frames = await this.#results.ask("findings", from);
    this.#from = from;
    this.#isReading = false;
    this.#onRead();
  }
}
