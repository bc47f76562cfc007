#!/usr/bin/env bash
# zxing-cpp: a UPC-A code is read as an EAN-13 one, with a digit more.
#
# Expected: the format UPC-A and the 12 digits below the bars, which is what the same library is
#   asked for when it draws the code.
# What happens: the format EAN-13 and 13 digits, the first of them a zero. Both stand for the same
#   number (GTIN), so nothing is lost; whoever looks the text up in a list of UPC numbers finds none.
# Why it matters: products of North America carry UPC-A, so a job over a video of them answers with
#   numbers that its user has not got, although every code was read.
# Seen with zxing-cpp 3.1.1 and numpy 2.4.6 on 2026-11-28.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zxing-cpp==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import zxingcpp

DIGITS = "036000291452"
drawn = zxingcpp.create_barcode(DIGITS, zxingcpp.BarcodeFormat.UPCA)
picture = np.pad(np.asarray(drawn.to_image(scale=4)), 40, constant_values=255)
(read,) = zxingcpp.read_barcodes(picture)
print(f"drawn as {drawn.format}: {DIGITS}; read as {read.format}: {read.text}")
if (str(read.format), read.text) != ("EAN-13", f"0{DIGITS}"):
    sys.exit("It changed.")
PYTHON
