/** The same colour for the same label, wherever it is drawn. */
export function colourOf(label) {
  let hash = 0x811c9dc5; // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv
  for (const character of label) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return `hsl(${(hash >>> 16) % 360} 85% 60%)`;
}
