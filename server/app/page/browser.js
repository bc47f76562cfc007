// What this browser makes of what a video file says of its own showing.

// Three frames of 32 by 32 pixels, in H.264. The first is white; the others are white on their left and
// black on their right. The edit list begins with the second, and the matrix mirrors left and right.
const CUT_AND_MIRRORED = `
AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDEAAAAIZnJlZQAAAE1tZ
GF0AAAADWWIhDoRigACPR/J114AAAAWZYiCAihGKAAJ00djsRigAC9PHx9dPg
AAABZliIQIoRigACdNHY7EYoAAvTx8fXT4AAADCG1vb3YAAABsbXZoZAAAAAA
AAAAAAAAAAAAAA+gAAAB4AAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAA
AAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAIAAAIydHJhawAAAFx0a2hkAAAAAwAAAAAAAAAAAAAAAQAAAAAAAABQAA
AAAAAAAAAAAAAAAAAAAP//AAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAA
AQAAAAAAgAAAAIAAAAAAAJGVkdHMAAAAcZWxzdAAAAAAAAAABAAAAUAAAAgAA
AQAAAAABqm1kaWEAAAAgbWRoZAAAAAAAAAAAAAAAAAAAMgAAAAYAVcQAAAAAA
C1oZGxyAAAAAAAAAAB2aWRlAAAAAAAAAAAAAAAAVmlkZW9IYW5kbGVyAAAAAV
VtaW5mAAAAFHZtaGQAAAABAAAAAAAAAAAAAAAkZGluZgAAABxkcmVmAAAAAAA
AAAEAAAAMdXJsIAAAAAEAAAEVc3RibAAAAKVzdHNkAAAAAAAAAAEAAACVYXZj
MQAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAgACAASAAAAEgAAAAAAAAAAQAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABj//wAAACthdmNDAULACv
/hABRnQsAK3JaEAAADAAQAAAMAyDxIngEABGjOD8gAAAAUYnRydAAAAAAAAKn
KAAAR+AAAABhzdHRzAAAAAAAAAAEAAAADAAACAAAAABxzdHNjAAAAAAAAAAEA
AAABAAAAAwAAAAEAAAAgc3RzegAAAAAAAAAAAAAAAwAAABEAAAAaAAAAGgAAA
BRzdGNvAAAAAAAAAAEAAAAwAAAAYnVkdGEAAABabWV0YQAAAAAAAAAhaGRscg
AAAAAAAAAAbWRpcmFwcGwAAAAAAAAAAAAAAAAtaWxzdAAAACWpdG9vAAAAHWR
hdGEAAAABAAAAAExhdmY2Mi4xMi4xMDI=
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
