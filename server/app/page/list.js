// A list of any length, of which only the rows in sight are in the page.

import { colourOf } from "./colours.js";
import { element } from "./element.js";

const ROW = 48; // pixels, as in page.css
const TALLEST = 8_000_000; // what browsers can scroll

/**
 * `fetchRows(from, to)` promises rows `{label, first, last}`; `explain(row)` is the second line of
 * one; `onChoose(row)` is told which was chosen.
 */
export class FoundList {
  #box;
  #space = element("div", { className: "space", role: "presentation" });
  #options;
  #count = 0;
  #active = 0;
  #rows = []; // in sight
  #from = 0;
  #frame = 0;
  #asked = 0;

  constructor(box, options) {
    this.#box = box;
    this.#options = options;
    box.append(this.#space);
    box.addEventListener("scroll", () => this.#fetch());
    box.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#fetch()).observe(box);
  }

  /** Begin at the top of so many rows. */
  show(count) {
    this.#count = count;
    this.#active = 0;
    this.#space.style.height = `${this.#height}px`;
    this.#box.scrollTop = 0;
    this.#fetch();
  }

  /** Mark what was found on that frame. */
  mark(frame) {
    this.#frame = frame;
    // The elements stay, or a click that begins on one would end on another.
    this.#rows.forEach((row, n) => this.#markOption(this.#space.children[n], row));
  }

  #markOption(option, row) {
    option?.classList.toggle("shown", row.first <= this.#frame && this.#frame <= row.last);
  }

  get #height() {
    return Math.min(this.#count * ROW, TALLEST);
  }

  get #visible() {
    return this.#box.clientHeight / ROW;
  }

  /** Which row is at the upper edge, with the part of it that is above. */
  get #top() {
    const way = this.#height - this.#box.clientHeight;
    return way > 0 ? (this.#box.scrollTop / way) * (this.#count - this.#visible) : 0;
  }

  async #fetch() {
    const asked = ++this.#asked;
    const from = Math.floor(this.#top);
    const rows = await this.#options.fetchRows(from, Math.ceil(from + this.#visible) + 1);
    if (asked !== this.#asked) return;
    [this.#rows, this.#from] = [rows, from];
    this.#draw();
  }

  #draw() {
    const options = this.#rows.map((row, n) => this.#option(row, this.#from + n));
    this.#space.replaceChildren(...options);
    const active = options[this.#active - this.#from];
    this.#box.setAttribute("aria-activedescendant", active?.id ?? "");
  }

  #option(row, position) {
    const option = element("div", {
      id: `found-${position}`,
      role: "option",
      title: row.label,
      ariaSelected: String(position === this.#active),
      ariaSetSize: String(this.#count),
      ariaPosInSet: String(position + 1),
      onclick: () => this.#choose(position, row),
    });
    option.append(
      element("b", { textContent: row.label }),
      element("small", { textContent: this.#options.explain(row) }),
    );
    this.#markOption(option, row);
    option.style.top = `${this.#box.scrollTop + (position - this.#top) * ROW}px`;
    option.style.borderLeftColor = colourOf(row.label);
    return option;
  }

  #choose(position, row) {
    this.#active = position;
    this.#draw();
    this.#options.onChoose(row);
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.#visible) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const chosen = this.#rows[this.#active - this.#from];
    if (event.key in steps) this.#activate(this.#active + steps[event.key]);
    else if (event.key === "Enter" && chosen) this.#options.onChoose(chosen);
    else return;
    event.preventDefault();
  }

  #activate(position) {
    this.#active = Math.max(0, Math.min(position, this.#count - 1));
    const lowest = this.#active - this.#visible + 1;
    const top = Math.min(Math.max(this.#top, lowest), this.#active);
    const way = this.#height - this.#box.clientHeight;
    if (top !== this.#top) this.#box.scrollTop = (top / (this.#count - this.#visible)) * way;
    this.#fetch();
  }
}
