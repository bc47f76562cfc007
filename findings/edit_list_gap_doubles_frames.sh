#!/usr/bin/env bash
# FFmpeg: a gap in the middle of an edit list shows the beginning of the track once more.
#
# Expected: an edit list of three entries (the first half of a clip, an empty edit of a second, the
#   second half) shows each frame once; ISO/IEC 14496-12 has an empty edit show nothing.
# What happens: the demuxer takes the empty edit's media time, -1, for a place to show frames from,
#   and fills the gap with the first second of the track: 24 frames become 48, with no error.
# Why it matters: cutting tools write such gaps. A job counts frames and findings that are not
#   there, and every index behind the gap is wrong.
# Seen with av 18.1.0 (FFmpeg 8.1.2) on 2026-11-28; ffmpeg 5.1.9 does the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import struct
import sys

import av
import numpy as np

FRAMES = 24
path = f"{sys.argv[1]}/clip.mp4"
with av.open(path, "w") as container:
    stream = container.add_stream("libx264", rate=25, options={"bf": "0", "x264-params": "log=-1"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number in range(FRAMES):
        grey = np.full((48, 64, 3), 8 * number, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
    container.mux(stream.encode(None))


def with_edits(data: bytes, entries: list[tuple[int, int]]) -> bytes:
    """The index is the file's end, so that boxes in it may grow."""
    at = data.index(b"elst") - 4
    old = int.from_bytes(data[at : at + 4], "big")
    body = struct.pack(">II", 0, len(entries))
    body += b"".join(struct.pack(">Iii", length, start, 0x10000) for length, start in entries)
    out = bytearray(data[:at] + struct.pack(">I4s", 8 + len(body), b"elst") + body + data[at + old :])
    for parent in (b"moov", b"trak", b"edts"):
        size = out.index(parent) - 4
        grown = int.from_bytes(out[size : size + 4], "big") + 8 + len(body) - old
        out[size : size + 4] = grown.to_bytes(4, "big")
    return bytes(out)


def shown(data: bytes) -> list[int]:
    with open(path, "wb") as file:
        file.write(data)
    with av.open(path) as container:
        return [round(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


plain = open(path, "rb").read()
half, second_half = FRAMES // 2 * 40, FRAMES // 2 * 512
print("two halves:          ", len(shown(with_edits(plain, [(half, 0), (half, second_half)]))))
doubled = len(shown(with_edits(plain, [(half, 0), (1000, -1), (half, second_half)])))
print("with a gap in between:", doubled)
if doubled == FRAMES:
    sys.exit("It changed: each frame is shown once.")
PYTHON
