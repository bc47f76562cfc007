// What was found when, over the whole video.

import { colourOf } from "./colours.js";
import { clear } from "./overlay.js";

const LANE = 20,
  CURVE = 44,
  GAP = 4;
const NOTHING = { label: "", shades: [] };

/** Draws what `results` found; `onFrame(index)` is told to which frame the user wants to go. */
export class Timeline {
  #canvas;
  #onFrame;
  #drawn = null; // what the worker has told, for the columns that there are
  #frame = 0;
  #frames = 1;

  constructor(canvas, onFrame) {
    this.#canvas = canvas;
    this.#onFrame = onFrame;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#go(event);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && this.#go(event));
  }

  /** How many columns there is room for. */
  get columns() {
    return Math.max(1, Math.floor(this.#canvas.clientWidth - this.#gutter));
  }

  get #gutter() {
    return Math.min(150, this.#canvas.clientWidth * 0.3);
  }

  show(drawn, frames) {
    this.#drawn = drawn;
    this.#frames = frames;
    const { lanes, curves } = drawn;
    if (!lanes.length && !curves.length) lanes.push(NOTHING); // by which one goes all the same
    const height = lanes.length * (LANE + GAP) + curves.length * (CURVE + GAP) + GAP;
    this.#canvas.style.height = `${height}px`;
    this.#draw();
  }

  /** Move the line that stands for the frame that is shown. */
  mark(frame, description) {
    this.#frame = frame;
    const canvas = this.#canvas;
    canvas.ariaValueMin = "0";
    canvas.ariaValueMax = String(this.#frames - 1);
    canvas.ariaValueNow = String(frame);
    canvas.ariaValueText = description;
    this.#draw();
  }

  #go({ offsetX }) {
    const frame = Math.floor(((offsetX - this.#gutter) / this.columns) * this.#frames);
    this.#onFrame(Math.max(0, Math.min(frame, this.#frames - 1)));
  }

  #draw() {
    if (!this.#drawn) return;
    const context = clear(this.#canvas);
    const { color } = getComputedStyle(this.#canvas);
    context.font = "12px system-ui, sans-serif";
    let top = GAP;
    for (const { label, shades } of this.#drawn.lanes) {
      this.#name(context, [label], top, LANE, color);
      this.#bars(context, shades, top, colourOf(label));
      top += LANE + GAP;
    }
    for (const curve of this.#drawn.curves) {
      this.#name(context, [curve.name, rangeOf(curve)], top, CURVE, color);
      this.#curve(context, curve, top);
      top += CURVE + GAP;
    }
    const x = this.#gutter + ((this.#frame + 0.5) * this.columns) / this.#frames;
    context.fillStyle = color;
    context.fillRect(x - 1, 0, 2, top);
  }

  #name(context, lines, top, height, color) {
    context.fillStyle = color;
    lines.forEach((line, n) => {
      context.fillText(fitting(context, line, this.#gutter - 6), 0, top + 14 + 16 * n);
    });
    context.fillStyle = "#8886";
    context.fillRect(this.#gutter, top + height, this.columns, 1);
  }

  #bars(context, shades, top, colour) {
    context.fillStyle = colour;
    for (let start = 0, end; start < shades.length; start = end) {
      for (end = start + 1; end < shades.length && shades[end] === shades[start];) end++;
      if (!shades[start]) continue;
      context.globalAlpha = shades[start] === 1 ? 1 : 0.6; // of shots, every other one
      context.fillRect(this.#gutter + start, top, Math.max(2, end - start), LANE);
    }
    context.globalAlpha = 1;
  }

  #curve(context, { name, low, high, lowest, highest }, top) {
    const y = (value) => top + CURVE * (1 - (value - lowest) / (highest - lowest || 1));
    context.strokeStyle = colourOf(name);
    context.lineWidth = 1.5;
    context.beginPath();
    for (let column = 0; column < low.length; column++) {
      if (Number.isNaN(low[column])) continue; // more columns than frames
      context.lineTo(this.#gutter + column, y(low[column]));
      context.lineTo(this.#gutter + column, y(high[column]));
    }
    context.stroke();
  }
}

function rangeOf({ lowest, highest }) {
  const [from, to] = [lowest, highest].map((value) => Number(value.toPrecision(3)));
  return from < 0 ? `${from} to ${to}` : `to ${to}`;
}

/** As much of a text as there is room for. */
function fitting(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let end = Math.min(text.length, 100);
  while (end && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
  return `${text.slice(0, end)}…`;
}
