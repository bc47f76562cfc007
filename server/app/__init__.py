"""ForgeSyte video jobs: a single-machine server that runs pipelines over uploaded videos."""

import os

# Read when ONNX Runtime is imported, by us or by a plugin. It would write an id of this machine
# to the user's cache folder and look up a host.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
