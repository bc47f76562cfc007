"""ForgeSyte video jobs: a single-machine server that runs pipelines over uploaded videos."""

import os

# The environment is changed here, before there are threads, and never while a server runs: the C
# library lets a thread crash that reads it meanwhile.

# Read when ONNX Runtime is imported, by us or by a plugin. It would write an id of this machine
# to the user's cache folder and look up a host.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Libraries read these when they are loaded: theirs leave one processor to the server. What the
# user has set stays.
_others = str(max(1, len(os.sched_getaffinity(0)) - 1))
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, _others)
