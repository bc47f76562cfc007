#!/usr/bin/env bash
# PySceneDetect: importing its detectors starts the ffmpeg program, even where nothing is split.
#
# Expected: `import scenedetect` defines classes; ffmpeg is run by the functions that split videos.
# What happens: the first `ffmpeg` in PATH is run while the package is being imported, to learn
#   whether it is there; also when only a detector is imported, which works on arrays.
# Why it matters: a server that loads a detector at its first job starts a program that nobody
#   asked for, found by PATH, and waits for it; a confined server is stopped for that.
# Seen with scenedetect-headless 0.7.2 on 2026-11-28.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scenedetect-headless==0.7.2
mkdir "$folder/bin"
cat >"$folder/bin/ffmpeg" <<'PROGRAM'
#!/bin/sh
echo "ffmpeg $*" >>"$CALLS"
PROGRAM
chmod +x "$folder/bin/ffmpeg"
export CALLS="$folder/calls" PATH="$folder/bin:$PATH"
touch "$CALLS"
"$folder/venv/bin/python" -c "from scenedetect.detectors import ContentDetector"
echo "Importing a detector ran: $(cat "$CALLS")"
[ -s "$CALLS" ] || { echo "It changed."; exit 1; }
