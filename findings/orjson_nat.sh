#!/usr/bin/env bash
# orjson: an array's NaT is written as a time in the year 1677, and nanoseconds are cut off.
#
# Expected: null for what is no time, as for what is no number, or an error as for a scalar NaT; and
#   the nine digits of a second that datetime64[ns] has.
# What happens: with OPT_SERIALIZE_NUMPY, which is documented to write datetime64, NaT in an array is
#   written as 1677-09-21T00:12:43.145224, the smallest number of nanoseconds there is, and
#   ...09.123456789 as ...09.123456. Arrays that are not contiguous are left to `default`.
# Why it matters: a pipeline that answers when it saw something, and NaT where it did not, would have
#   results that say it was seen in 1677. Nothing fails.
# Seen with orjson 3.13.0 and numpy 2.4.6 on 2026-11-28.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check orjson==3.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import orjson

times = np.array(["2024-05-06T07:08:09.123456789", "NaT"], "datetime64[ns]")
written = orjson.loads(orjson.dumps(times, option=orjson.OPT_SERIALIZE_NUMPY))
print(f"{[str(time) for time in times]} is written as {written}")
if written != ["2024-05-06T07:08:09.123456", "1677-09-21T00:12:43.145224"]:
    sys.exit("It changed.")
PYTHON
