#!/usr/bin/env bash
# PyAV: one piece of side data that it has no name for makes all side data of a frame unreadable.
#
# Expected: `frame.side_data.get("DISPLAYMATRIX")` gives the display matrix of a frame, or None,
#   whatever else the frame carries; at most, what PyAV does not know is left out.
# What happens: a JPEG with Exif data in a Motion JPEG video gets side data of a type that PyAV's
#   list lacks, and every access to `frame.side_data` raises "ValueError: … is not a valid Type".
#   Spatial videos (MV-HEVC), whose frames carry the number of their view, do the same.
# Why it matters: the display matrix is the only place that tells mirrors, so a job that reads it
#   breaks on the videos of cameras that write Exif, and of phones that record for headsets.
# Seen with av 18.1.0 (FFmpeg 8.1.2), numpy 2.4.6 and pillow 12.0.0 on 2026-11-28.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6 pillow==12.0.0
"$folder/venv/bin/python" - "$folder/clip.mov" <<'PYTHON'
import io
import sys
from fractions import Fraction

import av
from PIL import Image

exif = Image.Exif()
exif[0x010F] = "a camera"
picture = io.BytesIO()
Image.new("RGB", (64, 48), "red").save(picture, "JPEG", exif=exif.tobytes())

with av.open(sys.argv[1], "w", format="mov") as container:
    stream = container.add_stream("mjpeg", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
    stream.encode(av.VideoFrame(64, 48, "yuvj420p"))  # opens the encoder, which writes the header
    packet = av.Packet(picture.getvalue())
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 25)
    container.mux(packet)

with av.open(sys.argv[1]) as container:
    frame = next(container.decode(video=0))
print("decoded:", frame.width, "x", frame.height)
try:
    print("side data:", frame.side_data.get("DISPLAYMATRIX"))
except ValueError as error:
    print("side data: ValueError:", error)
else:
    sys.exit("It changed: side data can be read.")
PYTHON
