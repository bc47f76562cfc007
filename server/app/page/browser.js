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
const MILLISECONDS = 5000; // by when it is there, or never will be

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
  try {
    await new Promise((resolve, reject) => {
      video.onloadeddata = resolve;
      video.onerror = reject;
      setTimeout(reject, MILLISECONDS);
      video.src = url;
    });
    const context = new OffscreenCanvas(2, 1).getContext("2d");
    context.drawImage(video, 0, 0, 2, 1);
    const [left, , , , right] = context.getImageData(0, 0, 2, 1).data;
    return left < 128 && right >= 128;
  } finally {
    URL.revokeObjectURL(url);
  }
}
