"""`python one_video.py PIPELINE VIDEO [RESULTS]`: what a frame costs in the build that runs it.

Prints JSON: milliseconds of time and of the processors, and the peak of the process's memory in
MiB. RESULTS is where to write the results, as JSON too. Uses only what every build has.
"""

import json
import sys
import time
from pathlib import Path

from app.services.pipelines.registry import PipelineRegistry
from app.services.video_file_pipeline_service import VideoFilePipelineService


def main(pipeline_id: str, video: Path, to: Path | None = None) -> None:
    service = VideoFilePipelineService(PipelineRegistry())
    service.run_on_file(video, pipeline_id, max_frames=1)
    wall, cpu = time.perf_counter(), time.process_time()
    results = service.run_on_file(video, pipeline_id)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if to:
        to.write_text(json.dumps(results))
    frames = len(results)
    cost = {"wall": wall / frames * 1e3, "cpu": cpu / frames * 1e3, "peak": peak_megabytes()}
    print(json.dumps(cost))


def peak_megabytes() -> float:
    """Of this program alone: getrusage counts that of the process that it was forked from."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


main(sys.argv[1], *map(Path, sys.argv[2:]))
