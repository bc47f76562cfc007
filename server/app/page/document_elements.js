// Taking apart the document of results, {"job_id": …, "results": [{…}, …]}, which may be too
// large for one string, as it comes in.

const QUOTE = 34,
  BACKSLASH = 92,
  OPEN = [91, 123],
  CLOSE = [93, 125];
const DEPTH = 3; // in the document and its list

/**
 * Calls `onElement(start, end, text)` for each element of the list, with the bytes that it takes of
 * the document. Feed it the document's pieces in order.
 */
export class ElementSplitter {
  #onElement;
  #decoder = new TextDecoder();
  #depth = 0;
  #inString = false;
  #escaped = false;
  #position = 0; // of the piece in the document
  #start = -1; // of the element that has begun, in the document
  #parts = []; // of that element, from pieces before

  constructor(onElement) {
    this.#onElement = onElement;
  }

  feed(piece) {
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN[0] || byte === OPEN[1]) {
        if (++this.#depth === DEPTH) {
          from = at;
          this.#start = this.#position + at;
        }
      } else if (byte === CLOSE[0] || byte === CLOSE[1]) {
        if (this.#depth-- === DEPTH) this.#end(piece.subarray(from, at + 1), at + 1);
      }
    }
    if (this.#start >= 0) this.#parts.push(piece.slice(from));
    this.#position += piece.length;
  }

  /** To be called behind the last piece; throws if the document has not come to its end. */
  finish() {
    if (this.#depth || !this.#position) throw new Error("they are cut off.");
  }

  #end(last, at) {
    let text = "";
    for (const part of this.#parts) text += this.#decoder.decode(part, { stream: true });
    text += this.#decoder.decode(last);
    this.#onElement(this.#start, this.#position + at, text);
    this.#start = -1;
    this.#parts = [];
  }
}
