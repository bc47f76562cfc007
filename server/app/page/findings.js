// What stands in a frame's result, whichever pipeline made it: as forgesyte_client.findings has it.

const NAMES = ["text", "label", "name", "class_name", "class"];
const LONGEST_LABEL = 1000;

/** The objects in the lists of a result, each with the name of its list. */
export function detections(result) {
  return Object.entries(result).flatMap(([list, value]) =>
    Array.isArray(value) ? value.filter(isObject).map((found) => ({ list, found })) : [],
  );
}

/** What a result measures: its values that are numbers, but for the number of its shot. */
export function measures(result) {
  return Object.entries(result).filter(
    ([name, value]) => typeof value === "number" && !(name === "shot" && hasShot(result)),
  );
}

/** Whether a result says which shot its frame belongs to. */
export function hasShot({ shot }) {
  return Number.isInteger(shot);
}

/** What a result says of its frame as a whole: its shot or, unless `found` has detections, all. */
export function summaryOf(result, found) {
  if (hasShot(result)) return `shot ${result.shot}`;
  return found.length ? "" : describe(result);
}

/**
 * What a detection is called: its text, label, name or class. If it has none but a place, it is
 * called after its list and the number of its class; else, it is all that it holds.
 */
export function labelOf({ list, found }) {
  const key = NAMES.find((name) => typeof found[name] === "string");
  if (key) return oneLine(found[key]);
  if (!cornersOf(found).length) return oneLine(asText(found));
  return oneLine(`${list} ${found.class_id ?? found.class ?? ""}`);
}

/** The outline of a detection: x and y in turn, in pixels of the frame; empty if it has none. */
export function cornersOf({ points, bbox, xyxy }) {
  if (Array.isArray(points) && points.length > 1 && points.every(isPoint)) {
    return points.flatMap(({ x, y }) => [x, y]);
  }
  if (Array.isArray(points) && points.length > 1 && points.every(isPair)) return points.flat();
  if (isObject(bbox) && isPoint(bbox) && areNumbers([bbox.width, bbox.height])) {
    return rectangle(bbox.x, bbox.y, bbox.x + bbox.width, bbox.y + bbox.height);
  }
  if (Array.isArray(xyxy) && xyxy.length === 4 && areNumbers(xyxy)) return rectangle(...xyxy);
  return [];
}

export function confidenceOf({ confidence }) {
  return typeof confidence === "number" ? confidence : null;
}

/** A result without detections in a line; empty if what it looked for is not there. */
function describe(result) {
  const values = Object.entries(result);
  if (!values.length || values.some(([, value]) => Array.isArray(value) && !value.length))
    return "";
  return oneLine(values.map(([name, value]) => `${name} ${inShort(value)}`).join(" · "));
}

function inShort(value) {
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  return typeof value === "string" ? value : asText(value);
}

function asText(value) {
  return JSON.stringify(value);
}

function oneLine(text) {
  return text.slice(0, LONGEST_LABEL).replace(/\s+/g, " ").trim() || "(no text)";
}

function rectangle(left, top, right, bottom) {
  return [left, top, right, top, right, bottom, left, bottom];
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPoint(value) {
  return isObject(value) && areNumbers([value.x, value.y]);
}

function isPair(value) {
  return Array.isArray(value) && value.length === 2 && areNumbers(value);
}

function areNumbers(values) {
  return values.every((value) => typeof value === "number" && Number.isFinite(value));
}
