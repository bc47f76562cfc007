// The video as the browser plays it, frame by frame: which one is shown, and how to get to another.

import { Asking } from "./asking.js";
import { followsFiles } from "./browser.js";

const UNTOLD_MILLISECONDS = 100; // long enough for a browser that tells
const FIRST_MILLISECONDS = 1000; // the same, of the first frame; in a tab that is not seen none is told
const NOT_FOLLOWED =
  "This browser would show this video as it was before it was cut or mirrored; what was found is " +
  "of how it is now. Chrome and Edge show that.";

/** `onFrame(index)` is called for each frame shown; null stands for a picture that is no frame. */
export class Player {
  frame = 0; // the latest that was shown
  shown = 0; // the one that is shown; null if the picture is none of the frames
  times = null; // seconds, of each frame; null until a file is open
  size = null; // of a frame, in pixels: {width, height}
  frames = 0; // of the results
  #index = new Asking("frame_times_worker.js"); // loaded while the server is there
  #video;
  #onFrame;
  #url = "";
  #wanted = null; // the frame that was gone to; browsers may show one nearby
  #isAgain = false; // whether it was gone to twice
  #timer; // for that

  constructor(video, onFrame) {
    this.#video = video;
    this.#onFrame = onFrame;
    this.#listen();
  }

  /** Throws with a sentence when the file cannot be shown; `times` may be known all the same. */
  async open(file) {
    this.#unload();
    const url = URL.createObjectURL(file);
    this.#url = url;
    const [read, shown] = await Promise.allSettled([
      this.#index.ask("readFrameTimes", file),
      this.#load(url),
    ]);
    const isFollowed = !read.value?.isEdited || (await followsFiles());
    if (this.#url !== url) return;
    if (read.status === "fulfilled") {
      ({ times: this.times } = read.value);
      this.size = read.value;
    }
    if (shown.status === "rejected") throw shown.reason;
    if (read.status === "rejected") {
      throw new Error(`The times of its frames cannot be read (${read.reason.message}).`);
    }
    if (!isFollowed) {
      this.#takeOff();
      throw new Error(NOT_FOLLOWED);
    }
    if (!read.value.isEdited) this.#countFrom(shown.value);
    const { frame } = this; // where one has gone without the file
    this.#show(this.#indexAt(this.#video.currentTime, Infinity));
    if (frame > 0) this.goTo(frame);
  }

  close() {
    this.#unload();
    this.frame = this.shown = 0;
  }

  #takeOff() {
    this.#video.pause();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  #unload() {
    this.#takeOff();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
    this.times = this.size = this.#wanted = null;
  }

  /** Gives the time of the first frame as the browser counts; undefined when it does not tell. */
  #load(url) {
    const video = this.#video;
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error("This browser cannot show this video."));
      video.onerror = fail;
      video.onloadeddata = () => {
        // Of a video whose pictures it cannot decode, it may still play the sound.
        if (!video.videoWidth) fail();
        setTimeout(resolve, FIRST_MILLISECONDS);
      };
      video.requestVideoFrameCallback((now, { mediaTime }) => {
        // Before that, it would be of the video before.
        if (video.readyState >= video.HAVE_CURRENT_DATA) resolve(mediaTime);
      });
      video.src = url;
    });
  }

  /** Firefox counts from the first frame, whenever the file says that it is to be shown. */
  #countFrom(start) {
    const ahead = this.times[0] - (start ?? this.times[0]);
    if (ahead) this.times = this.times.map((time) => time - ahead);
  }

  #listen() {
    const shown = (now, { mediaTime }) => {
      if (this.times) {
        this.#show(this.#indexAt(mediaTime, this.#halfInterval()));
      }
      this.#video.requestVideoFrameCallback(shown);
    };
    this.#video.requestVideoFrameCallback(shown);
    this.#video.onseeked = () => {
      this.#timer = setTimeout(() => this.#goAgain(), UNTOLD_MILLISECONDS);
    };
  }

  /** Chromium may show the frame that was gone to and never tell of it: once, to another moment. */
  #goAgain() {
    if (this.#wanted === null || this.#wanted === this.shown || this.#isAgain) return;
    this.#isAgain = true;
    this.#video.currentTime = (this.#momentOf(this.#wanted) + this.times[this.#wanted]) / 2;
  }

  #show(index) {
    this.shown = index;
    this.frame = index ?? this.frame;
    this.#onFrame(index);
  }

  /** The frame nearest to that time, unless it is further than that. */
  #indexAt(time, furthest) {
    const after = firstFrom(this.times, time);
    const last = this.times.length - 1;
    const candidates = after > last ? [last] : after ? [after - 1, after] : [0];
    const distance = (index) => Math.abs(this.times[index] - time);
    const nearest = candidates.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    return distance(nearest) <= furthest ? nearest : null;
  }

  #halfInterval() {
    const { times } = this;
    return times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) / 2 : Infinity;
  }

  goTo(index) {
    const frame = Math.max(0, Math.min(index, this.count - 1));
    if (!this.times || !this.isShown) return this.#show(frame);
    clearTimeout(this.#timer);
    this.#video.pause();
    this.#wanted = frame;
    this.#isAgain = false;
    this.#video.currentTime = this.#momentOf(frame);
  }

  step(frames) {
    this.goTo((this.#wanted ?? this.frame) + frames);
  }

  /** A moment at which the frame is shown, far from its neighbours. Firefox tells it as the frame's
   * time, so it is nearer to that than to the next one's. */
  #momentOf(frame) {
    const next = this.times[frame + 1] ?? Infinity;
    return this.times[frame] + 0.4 * Math.min(next - this.times[frame], 2 * this.#halfInterval());
  }

  /** How many frames there are, as the file says or, without it, the results. */
  get count() {
    return this.times?.length ?? this.frames;
  }

  get isShown() {
    return this.#video.videoWidth > 0;
  }

  play() {
    clearTimeout(this.#timer);
    this.#wanted = null;
    this.#video.play().catch(() => {}); // paused again before it began
  }

  toggle() {
    if (this.#video.paused) this.play();
    else this.#video.pause();
  }
}

/** The place of the first of the times, which ascend, that is not before `time`. */
function firstFrom(times, time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
