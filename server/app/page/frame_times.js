// When each frame of a video file is shown, as its own index says (ISO/IEC 14496-12).

import { createFile } from "./vendor/mp4box-2.4.1/mp4box.all.mjs";

const PIECE_BYTES = 1024 * 1024;

/**
 * What the server counts as the frames of `file`: those that its edit list shows, in the order of
 * presentation. `times` are in seconds from the start of the presentation; `width` and `height`
 * are a frame's in pixels, upright. `isEdited` says whether that is more than all samples, one after
 * the other, turned by quarters.
 *
 * Only the index is read, and of a file of fragments everything.
 */
export async function readFrameTimes(file) {
  const movie = await readIndex(file);
  const tracks = movie.moov.traks.filter((track) => track.mdia.hdlr.handler === "vide");
  const track = tracks.find((one) => one.tkhd.flags & 1) ?? tracks[0];
  if (!track) throw new Error("The file has no video track.");
  const samples = movie.getTrackSamplesInfo(track.tkhd.track_id);
  if (!samples.length) throw new Error("The file's index lists no frames.");
  const { width, height } = samples[0].description;
  const [a, b, , c, d] = track.tkhd.matrix;
  const turned = Math.abs(b) > Math.abs(a);
  const times = shownTimes(track, movie.moov.mvhd.timescale, samples);
  return {
    times,
    width: turned ? height : width,
    height: turned ? width : height,
    isEdited: a * d < b * c || partsOf(track).length > 1 || times.length < samples.length,
  };
}

async function readIndex(file) {
  const movie = createFile();
  let failure = null;
  movie.onError = (module, message) => (failure = message);
  for (let at = 0; at < file.size;) {
    const piece = await file.slice(at, at + PIECE_BYTES).arrayBuffer();
    piece.fileStart = at;
    const next = movie.appendBuffer(piece);
    if (movie.moov && !movie.moov.mvex) break;
    at = Math.max(next ?? 0, at + 1); // whatever the file says, it comes to an end
  }
  if (!movie.moov) throw new Error(failure ?? "The file has no index.");
  return movie;
}

function shownTimes(track, ticksOfMovie, samples) {
  const ticks = track.mdia.mdhd.timescale;
  if (!partsOf(track).length) {
    return Float64Array.from(samples, (sample) => sample.cts / ticks).sort();
  }
  const times = [];
  let start = 0;
  for (const edit of editsOf(track)) {
    const lasting = Math.round((edit.segment_duration * ticks) / ticksOfMovie);
    if (edit.media_time >= 0) {
      const end = lasting ? edit.media_time + lasting : Infinity; // 0: all that follows
      for (const { cts } of samples) {
        if (cts >= edit.media_time && cts < end)
          times.push((start + cts - edit.media_time) / ticks);
      }
    }
    start += lasting;
  }
  return Float64Array.from(times).sort();
}

function editsOf(track) {
  return track.edts?.elst?.entries ?? [];
}

/** Those that show something. */
function partsOf(track) {
  return editsOf(track).filter((edit) => edit.media_time >= 0);
}
