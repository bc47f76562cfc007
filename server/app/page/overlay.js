// What was found, drawn over the picture.

import { colourOf } from "./colours.js";

const MARGIN = 2; // so that the line hides nothing of what it surrounds
const LONGEST_TAG = 40;
const TAG_HEIGHT = 18;

/** Draws what was found on the frame that `video` shows, whose size in pixels is `size`. */
export function draw(canvas, video, size, found) {
  const context = clear(canvas);
  const place = placeOf(video, size);
  let corner = 0;
  for (const { label, confidence, corners } of found) {
    const points = place && around(pairs(corners).map(place));
    if (points?.length) outline(context, points, colourOf(label));
    const at = points?.length ? leftTop(points) : [4, 4 + TAG_HEIGHT * ++corner];
    tag(context, at, textOf(label, confidence), colourOf(label));
  }
}

/** The canvas' context in CSS pixels, with nothing drawn. */
export function clear(canvas) {
  const context = canvas.getContext("2d");
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = canvas.clientHeight * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  return context;
}

/** From pixels of the frame to those of the element, in which the picture has room on two sides. */
function placeOf(video, size) {
  if (!size || !video.videoWidth) return null;
  const { clientWidth, clientHeight, videoWidth, videoHeight } = video;
  const scale = Math.min(clientWidth / videoWidth, clientHeight / videoHeight);
  const width = videoWidth * scale,
    height = videoHeight * scale;
  const left = (clientWidth - width) / 2,
    top = (clientHeight - height) / 2;
  return ([x, y]) => [left + (x / size.width) * width, top + (y / size.height) * height];
}

function pairs(corners) {
  return Array.from({ length: corners.length / 2 }, (_, n) => [corners[2 * n], corners[2 * n + 1]]);
}

function around(points) {
  const middle = [0, 1].map((axis) => points.reduce((sum, p) => sum + p[axis], 0) / points.length);
  return points.map((p) =>
    p.map((value, axis) => value + MARGIN * Math.sign(value - middle[axis])),
  );
}

function leftTop(points) {
  return [Math.min(...points.map(([x]) => x)), Math.min(...points.map(([, y]) => y))];
}

function outline(context, points, colour) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.closePath();
  for (const [style, width] of [
    ["#000", 4],
    [colour, 2],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke();
  }
}

/** Above the outline, or below its upper edge where there is no room. */
function tag(context, [x, y], text, colour) {
  context.font = "13px system-ui, sans-serif";
  const width = context.measureText(text).width + 12;
  const { clientWidth, clientHeight } = context.canvas;
  const left = Math.max(0, Math.min(x, clientWidth - width));
  const top = Math.min(
    y >= TAG_HEIGHT ? y - TAG_HEIGHT : Math.max(0, y),
    clientHeight - TAG_HEIGHT,
  );
  context.fillStyle = "#000d";
  context.fillRect(left, top, width, TAG_HEIGHT);
  context.fillStyle = colour;
  context.fillRect(left, top, 4, TAG_HEIGHT);
  context.fillStyle = "#fff";
  context.fillText(text, left + 8, top + 13);
}

function textOf(label, confidence) {
  const short = label.length > LONGEST_TAG ? `${label.slice(0, LONGEST_TAG - 1)}…` : label;
  return confidence === null ? short : `${short} ${Math.round(100 * confidence)} %`;
}
