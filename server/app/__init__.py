"""ForgeSyte video jobs: a single-machine server that runs pipelines over uploaded videos."""

import os

# Libraries read these when they are loaded: theirs leave one processor to the server. What the
# user has set stays. The environment is changed here and nowhere else, before there are threads:
# the C library lets a thread crash that reads it meanwhile.
_others = str(max(1, len(os.sched_getaffinity(0)) - 1))
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, _others)
