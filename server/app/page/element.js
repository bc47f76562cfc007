/** A new element of the page with these properties. */
export function element(kind, properties = {}) {
  return Object.assign(document.createElement(kind), properties);
}
