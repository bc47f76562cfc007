"""ForgeSyte video jobs: a single-machine server that runs pipelines over uploaded videos."""
