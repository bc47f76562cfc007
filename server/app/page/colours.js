/** The same colour for the same label, wherever it is drawn. */
export function colourOf(label) {
  let hash = 0;
  for (const character of label) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return `hsl(${hash % 360} 85% 60%)`;
}
