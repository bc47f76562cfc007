// One job: its video, and what was found on it.

import { Asking } from "./asking.js";
import { FindingsAhead } from "./findings_ahead.js";
import { FoundList } from "./list.js";
import { clear, draw } from "./overlay.js";
import { Player } from "./player.js";
import { Pauses } from "./server.js";
import { Timeline } from "./timeline.js";

const WAITING = {
  pending: "Pending: jobs run one at a time, and this one waits for its turn.",
  running: "Running: its frames are looked at. What is found appears here when all are done.",
  unknown: "There is no such job on this server.",
};

export class JobView {
  #on; // the elements of the page, by their ids
  #player;
  #timeline;
  #list;
  #job = null;
  #status; // what is shown is that of this status
  #results = null; // an Asking
  #ahead = null; // FindingsAhead of these
  #asked = 0; // how often for the timeline
  #file = null;

  constructor(elements) {
    this.#on = elements;
    this.#player = new Player(elements.video, (frame) => this.#onFrame(frame));
    this.#timeline = new Timeline(elements.timeline, (frame) => this.#player.goTo(frame));
    this.#list = new FoundList(elements.list, {
      fetchRows: (from, to) => this.#results?.ask("rows", from, to) ?? [],
      explain: (row) => this.#explain(row),
      onChoose: ({ first }) => this.#player.goTo(first),
    });
    this.#listen();
  }

  get jobId() {
    return this.#job?.id;
  }

  /** `file` is the job's video, if this page has it. */
  open(job, file) {
    this.close();
    this.#job = job;
    this.#on.job.hidden = false;
    this.#on["job-title"].textContent = job.name;
    this.#on.job.scrollIntoView({ block: "nearest" }); // on a narrow screen it is below
    this.#attach(file);
    this.update(job);
  }

  close() {
    this.#job = this.#status = null;
    this.#forget();
    this.#player.close();
    this.#on.job.hidden = true;
  }

  #forget() {
    this.#results?.end();
    this.#results = this.#ahead = null;
    this.#player.frames = 0;
    this.#on.found.hidden = this.#on.timeline.hidden = true;
    for (const id of ["position", "timeline-note", "summary"]) this.#on[id].textContent = "";
    this.#on.narrow.value = "";
    clear(this.#on.overlay);
  }

  /** To be called when the job's status may have changed. */
  async update(job) {
    if (job.id !== this.jobId || job.status === this.#status) return;
    this.#status = job.status;
    this.#say("job-message", WAITING[job.status] ?? "");
    // Where a failed job's results would be, the server says why it has failed.
    if (["completed", "failed"].includes(job.status)) await this.#load(job);
  }

  async #load(job) {
    const pauses = new Pauses();
    for (;;) {
      this.#forget();
      const results = (this.#results = new Asking("results_worker.js"));
      try {
        this.#say("job-message", "Reading the results…");
        const frames = await results.ask("load", job.id);
        if (results === this.#results) return await this.#showResults(frames);
        return;
      } catch (error) {
        if (results !== this.#results) return;
        const again = error.away ? " It is asked again until it does." : "";
        this.#say("job-message", error.message + again, !error.away);
        if (!error.away) return;
        await pauses.next();
        if (results !== this.#results) return;
      }
    }
  }

  async #showResults(frames) {
    this.#player.frames = frames;
    this.#ahead = new FindingsAhead(this.#results, frames, () => this.#drawFindings());
    this.#say("job-message", frames ? "" : "The results are of no frame.");
    this.#on.found.hidden = this.#on.timeline.hidden = frames === 0;
    this.#compare();
    await this.#narrow();
    this.#onFrame(this.#player.shown);
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (this.#player.times && this.#player.frame === 0 && !isStill) this.#player.play();
  }

  async #attach(file) {
    this.#file = file;
    this.#on.picture.hidden = this.#on.controls.hidden = !file;
    this.#on.attach.hidden = Boolean(file);
    this.#say("picture-message", "");
    if (!file) return;
    try {
      await this.#player.open(file);
    } catch (error) {
      if (file !== this.#file) return;
      this.#on.picture.hidden = this.#on.controls.hidden = !this.#player.isShown;
      this.#say("picture-message", error.message);
    }
    this.#compare();
  }

  /** Whether the file may be that of the results, once both are there. */
  #compare() {
    const { times, frames } = this.#player;
    if (!times?.length || !frames || times.length === frames) return;
    this.#say(
      "picture-message",
      `This file has ${times.length} frames, but the results are of ${frames}: ` +
        "it is another video, or boxes may stand on the wrong frame.",
    );
  }

  async #narrow() {
    const results = this.#results;
    const { all, left } = await results.ask("narrow", this.#on.narrow.value);
    if (results !== this.#results) return;
    this.#say("count", countOf(all, left));
    this.#list.show(left);
    await this.#drawTimeline();
  }

  async #drawTimeline() {
    const results = this.#results;
    const asked = ++this.#asked;
    await new Promise(requestAnimationFrame); // of many changes of size, the last
    if (!results || asked !== this.#asked || this.#on.timeline.hidden) return;
    const drawn = await results.ask("timeline", this.#timeline.columns);
    if (results !== this.#results) return;
    this.#timeline.show(drawn, this.#player.frames);
    this.#say("timeline-note", missing(drawn));
  }

  /** null: the picture that is shown is none of the frames. */
  #onFrame(frame) {
    if (frame !== null) {
      this.#timeline.mark(frame, this.#describe(frame));
      this.#list.mark(frame);
    }
    this.#drawFindings();
  }

  #drawFindings() {
    const { shown, size } = this.#player;
    const found = this.#ahead?.at(shown);
    if (found) draw(this.#on.overlay, this.#on.video, size, found.drawn);
    else clear(this.#on.overlay); // rather nothing than what was found on another frame
    const left = found ? found.total - found.drawn.length : 0;
    const more = left ? ` · ${left} more are not drawn` : "";
    this.#on.position.textContent = this.#describe(shown) + more;
    this.#on.summary.textContent = found?.summary ?? "";
  }

  #describe(frame) {
    if (frame === null) return "between two frames";
    const { count } = this.#player;
    return count ? `frame ${frame} of 0–${count - 1}${this.#time(frame)}` : "";
  }

  #time(frame) {
    const time = this.#player.times?.[frame];
    return time === undefined ? "" : ` · ${time.toFixed(2)} s`;
  }

  #explain({ first, last }) {
    return `${first === last ? `frame ${first}` : `frames ${first}–${last}`}${this.#time(first)}`;
  }

  #say(id, text, isBad = false) {
    this.#on[id].textContent = text;
    this.#on[id].classList.toggle("bad", isBad);
  }

  #listen() {
    const { play, back, forward, sound, video, attached, narrow, picture } = this.#on;
    play.onclick = () => this.#player.toggle();
    back.onclick = () => this.#player.step(-1);
    forward.onclick = () => this.#player.step(1);
    sound.onclick = () => {
      video.muted = !video.muted;
      sound.ariaPressed = String(!video.muted);
    };
    video.onclick = () => this.#player.toggle();
    video.onplay = video.onpause = () => (play.textContent = video.paused ? "Play" : "Pause");
    attached.onchange = () => attached.files.length && this.#attach(attached.files[0]);
    narrow.oninput = () => this.#narrow();
    addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#onFrame(this.#player.shown)).observe(picture);
    new ResizeObserver(() => this.#drawTimeline()).observe(this.#on.job);
  }

  #onKey(event) {
    const { target, key } = event;
    if (!this.#job || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("input, select, textarea") || (key === " " && target.matches("button")))
      return;
    const last = this.#player.count - 1;
    const moves = {
      ArrowLeft: () => this.#player.step(-1),
      ArrowRight: () => this.#player.step(1),
      Home: () => this.#player.goTo(0),
      End: () => this.#player.goTo(last),
      " ": () => this.#player.toggle(),
    };
    if (!(key in moves) || last < 0) return;
    event.preventDefault();
    moves[key]();
  }
}

function countOf(all, left) {
  if (!all) return "Nothing was found.";
  const findings = all === 1 ? "1 finding" : `${all} findings`;
  return left === all ? findings : `${left} of ${findings}`;
}

/** What a timeline leaves out. */
function missing({ lanes, moreLanes, curves, hasMoreCurves }) {
  const labels = `The ${lanes.length} most frequent of ${lanes.length + moreLanes} labels.`;
  const measures = `The first ${curves.length} of what is measured.`;
  return [moreLanes && labels, hasMoreCurves && measures].filter(Boolean).join(" ");
}
