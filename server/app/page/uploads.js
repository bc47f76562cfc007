// Files on their way to the server, one after the other.

import { Pauses, submit } from "./server.js";

/**
 * Each upload is `{file, pipeline, isFirst, share, message, over}`: how much of it has gone, what is
 * the matter, and whether it is the first of those that were added together. One that has become a
 * job leaves the list, one that was refused stays until `drop`.
 */
export class Uploads {
  #onChange;
  #onJob;
  #list = [];
  #busy = false;

  /** `onJob(id, upload)` is told of each that has become a job. */
  constructor(onChange, onJob) {
    this.#onChange = onChange;
    this.#onJob = onJob;
    addEventListener("beforeunload", (event) => this.#busy && event.preventDefault());
  }

  all() {
    return this.#list;
  }

  add(files, pipeline) {
    for (const file of files) {
      const state = { isFirst: file === files[0], share: 0, message: "", over: false };
      this.#list.push({ file, pipeline, ...state, stopper: new AbortController() });
    }
    this.#onChange();
    this.#run();
  }

  drop(upload) {
    upload.over = true;
    upload.stopper.abort();
    this.#list = this.#list.filter((other) => other !== upload);
    this.#onChange();
  }

  async #run() {
    if (this.#busy) return;
    this.#busy = true;
    for (let next; (next = this.#list.find((upload) => !upload.over));) await this.#send(next);
    this.#busy = false;
  }

  async #send(upload) {
    const pauses = new Pauses();
    while (!upload.over) {
      try {
        const id = await submit(
          upload.file,
          upload.pipeline,
          (share) => this.#tell(upload, { share }),
          upload.stopper.signal,
        );
        this.drop(upload);
        this.#onJob(id, upload);
      } catch (error) {
        const again = error.away && !upload.stopper.signal.aborted;
        const message = again ? `${error.message} It is tried again.` : error.message;
        this.#tell(upload, { share: 0, message, over: !again });
        if (again) await pauses.next();
      }
    }
  }

  #tell(upload, news) {
    Object.assign(upload, news);
    this.#onChange();
  }
}
