// A worker's side of asking.js.

/** Answer by these functions, one question at a time, in the order in which they are asked. */
export function answerBy(functions) {
  let last = Promise.resolve();
  self.onmessage = ({ data: { number, name, values } }) => {
    last = last.then(async () => {
      try {
        self.postMessage({ number, answer: await functions[name](...values) });
      } catch (error) {
        self.postMessage({ number, error: { message: error.message, away: error.away } });
      }
    });
  };
}
