// Questions to a worker, and its answers as promises.

export class Asking {
  #worker;
  #waiting = new Map();
  #asked = 0;

  constructor(script) {
    this.#worker = new Worker(new URL(script, import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#waiting.get(data.number);
      this.#waiting.delete(data.number);
      if ("error" in data) reject(Object.assign(new Error(), data.error));
      else resolve(data.answer);
    };
    this.#worker.onerror = () => {
      const missing = new Error("A part of this page could not be loaded.");
      missing.away = true; // as a rule
      for (const { reject } of this.#waiting.values()) reject(missing);
      this.#waiting.clear();
    };
  }

  ask(name, ...values) {
    const number = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, name, values });
    });
  }

  /** What is not answered yet never is. */
  end() {
    this.#worker.terminate();
  }
}
