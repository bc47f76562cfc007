// Takes a video through a whole job with fetch, and prints the results: node client.mjs URL VIDEO
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const [url, video] = process.argv.slice(2);

async function ask(path, options) {
  const answer = await fetch(url + path, options);
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer.json();
}

const form = new FormData();
form.append("pipeline_id", "nothing");
form.append("file", new Blob([readFileSync(video)]), "vidéo.mp4");
const { job_id } = await ask("/video/submit", { method: "POST", body: form });
while ((await ask(`/video/status/${job_id}`)).status !== "completed") await setTimeout(50);
console.log(JSON.stringify(await ask(`/video/results/${job_id}`)));
