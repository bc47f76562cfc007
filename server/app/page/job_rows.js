// The list of uploads and jobs. Rows stay the same elements, so that the focus stays where it is.

import { element } from "./element.js";

const WORDS = {
  pending: "pending: waits for its turn",
  running: "running: its frames are looked at",
  unknown: "the server does not know it",
};

export class JobRows {
  #list;
  #actions;
  #rows = new Map(); // by job id or upload

  /** `actions`: `open(job)`, `remove(job)` and `drop(upload)`. */
  constructor(list, actions) {
    this.#list = list;
    this.#actions = actions;
  }

  show(uploads, jobs, chosen) {
    const rows = new Map();
    for (const upload of uploads) {
      const row = this.#rows.get(upload) ?? this.#uploadRow(upload);
      row.progress.value = upload.share;
      row.progress.hidden = upload.over;
      row.note.textContent =
        upload.message ||
        (upload.share ? `uploading, ${Math.floor(100 * upload.share)} %` : "waits");
      row.note.className = upload.over ? "failed" : "";
      rows.set(upload, row);
    }
    for (const job of jobs) {
      const row = this.#rows.get(job.id) ?? this.#jobRow(job);
      row.note.textContent = WORDS[job.status] ?? job.status ?? "…";
      row.note.className = job.status ?? "";
      row.button.setAttribute("aria-current", String(job.id === chosen));
      rows.set(job.id, row);
    }
    this.#rows = rows;
    const items = [...rows.values()].map(({ item }) => item);
    if (
      items.some((item, n) => item !== this.#list.children[n]) ||
      items.length !== this.#list.children.length
    ) {
      this.#list.replaceChildren(...items);
    }
  }

  #uploadRow(upload) {
    const name = element("div", { className: "name", textContent: upload.file.name });
    const note = element("small");
    const progress = element("progress", { max: 1, ariaLabel: `Upload of ${upload.file.name}` });
    name.append(progress, note);
    const stop = this.#button(`Stop uploading ${upload.file.name}`, () =>
      this.#actions.drop(upload),
    );
    const item = element("li");
    item.append(name, stop);
    return { item, note, progress };
  }

  #jobRow(job) {
    const button = element("button", { className: "name", textContent: job.name });
    const note = element("small");
    button.append(element("small", { textContent: job.pipeline }), note);
    button.onclick = () => this.#actions.open(job);
    const remove = this.#button(`Take ${job.name} off this list`, () => this.#actions.remove(job));
    const item = element("li");
    item.append(button, remove);
    return { item, note, button };
  }

  #button(title, onclick) {
    return element("button", { textContent: "×", title, ariaLabel: title, onclick });
  }
}
