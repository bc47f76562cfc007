// What this browser makes of what a video file says of its own showing.

// Three frames of 32 by 32 pixels, in H.264. The first is white; the others are white on their left and
// black on their right. The edit list begins with the second, and the matrix mirrors left and right.
const CUT_AND_MIRRORED = `
AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDEAAAAIZnJlZQAAAE1tZGF0AAAADWWIhDoRigACPR/J114AAAAWZYiCAihG
KAAJ00djsRigAC9PHx9dPgAAABZliIQIoRigACdNHY7EYoAAvTx8fXT4AAADCG1vb3YAAABsbXZoZAAAAAAAAAAAAAAAAAAAA+gA
AAB4AAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAIAAAIydHJhawAAAFx0a2hkAAAAAwAAAAAAAAAAAAAAAQAAAAAAAABQAAAAAAAAAAAAAAAAAAAAAP/
/AAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAgAAAAIAAAAAAAJGVkdHMAAAAcZWxzdAAAAAAAAAABAAAAUAAAAgA
AAQAAAAABqm1kaWEAAAAgbWRoZAAAAAAAAAAAAAAAAAAAMgAAAAYAVcQAAAAAAC1oZGxyAAAAAAAAAAB2aWRlAAAAAAAAAAAAAAA
AVmlkZW9IYW5kbGVyAAAAAVVtaW5mAAAAFHZtaGQAAAABAAAAAAAAAAAAAAAkZGluZgAAABxkcmVmAAAAAAAAAAEAAAAMdXJsIAA
AAAEAAAEVc3RibAAAAKVzdHNkAAAAAAAAAAEAAACVYXZjMQAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAgACAASAAAAEgAAAAAAAA
AAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABj/
/wAAACthdmNDAULACv/hABRnQsAK3JaEAAADAAQAAAMAyDxIngEABGjOD8gAAAAUYnRydAAAAAAAAKnKAAAR+AAAABhzdHRzAAAA
AAAAAAEAAAADAAACAAAAABxzdHNjAAAAAAAAAAEAAAABAAAAAwAAAAEAAAAgc3RzegAAAAAAAAAAAAAAAwAAABEAAAAaAAAAGgAA
ABRzdGNvAAAAAAAAAAEAAAAwAAAAYnVkdGEAAABabWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAbWRpcmFwcGwAAAAAAAAAAAAAAAAt
aWxzdAAAACWpdG9vAAAAHWRhdGEAAAABAAAAAExhdmY2Mi4xMi4xMDI=
`;
const MILLISECONDS = 3000; // by when it is shown, or never will be
const BETWEEN_MILLISECONDS = 50;

let following;

/**
 * Whether it leaves out what a file cuts off, and mirrors what a file mirrors. Firefox (153) does
 * neither: it plays all samples from the first one on, and does no more than turn them.
 */
export async function followsFiles() {
  following ??= followsFile(Uint8Array.from(atob(CUT_AND_MIRRORED), (c) => c.charCodeAt(0)));
  try {
    return await following;
  } catch {
    return true; // it plays no H.264 at all
  }
}

async function followsFile(bytes) {
  const video = document.createElement("video");
  const url = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
  video.muted = true;
  video.preload = "auto";
  const failed = new Promise((_, reject) => (video.onerror = reject));
  video.src = url;
  try {
    return await Promise.race([isShownMirrored(video), failed]);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** What is drawn first may be nothing yet, so it is looked at until it is right, or time is up. */
async function isShownMirrored(video) {
  const context = new OffscreenCanvas(2, 1).getContext("2d", { willReadFrequently: true });
  for (const end = performance.now() + MILLISECONDS; performance.now() < end; ) {
    context.drawImage(video, 0, 0, 2, 1);
    const [left, , , opacity, right] = context.getImageData(0, 0, 2, 1).data;
    if (opacity > 0 && left < 128 && right >= 128) return true;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MILLISECONDS));
  }
  return false;
}
