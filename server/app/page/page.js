// The page for people: what is on it, put together.

import { JobRows } from "./job_rows.js";
import { JobView } from "./job_view.js";
import { Jobs } from "./jobs.js";
import { askStatus } from "./server.js";
import { Uploads } from "./uploads.js";

const on = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));
const files = new Map(); // the videos that this page has sent, by the ids of their jobs

const view = new JobView(on);
const rows = new JobRows(on.jobs, {
  open: (job) => (location.hash = job.id),
  remove(job) {
    if (job.id === view.jobId) location.hash = "";
    jobs.remove(job.id);
  },
  drop: (upload) => uploads.drop(upload),
});
const jobs = new Jobs(show, (message) => {
  on.away.textContent = message;
});
const uploads = new Uploads(show, (id, { file, pipeline, isFirst }) => {
  files.set(id, file);
  jobs.add({ id, name: file.name, pipeline });
  if (isFirst || !view.jobId) location.hash = id;
});

function show() {
  rows.show(uploads.all(), jobs.all(), view.jobId);
  on["no-jobs"].hidden = on.jobs.children.length > 0;
  on["not-kept"].hidden = jobs.all().every(({ isKept }) => isKept);
  const shown = jobs.get(view.jobId);
  if (shown) view.update(shown);
}

/** The address names the job that is shown, so that it can be kept, and one can go back. */
function followAddress() {
  const id = location.hash.slice(1);
  const job = jobs.get(id);
  if (job && job.id !== view.jobId) view.open(job, files.get(job.id));
  if (!job && view.jobId) view.close();
  if (!job && id) openById(id);
  show();
}

async function openById(id) {
  try {
    const status = await askStatus(id);
    on["open-message"].textContent = status ? "" : `There is no job ${id}.`;
    if (!status) return;
    jobs.add({ id: status.job_id, name: `Job ${status.job_id.slice(0, 8)}` });
    location.hash = status.job_id;
    followAddress();
  } catch (error) {
    on["open-message"].textContent = error.message;
  }
}

function submit(list) {
  if (list.length) uploads.add(list, on.pipeline.value);
}

on.files.onchange = () => {
  submit([...on.files.files]);
  on.files.value = "";
};
on.submit.onsubmit = (event) => event.preventDefault();
on.open.onsubmit = (event) => {
  event.preventDefault();
  const id = on["job-id"].value.trim();
  if (id) openById(id);
};

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  submit([...event.dataTransfer.files]);
});
addEventListener("hashchange", followAddress);
followAddress();
