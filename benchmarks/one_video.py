"""`python one_video.py PIPELINE VIDEO`: what a frame costs in the build that is installed, as JSON.

Milliseconds of time and of the processors, and the peak of the process's memory in MiB. Uses only
what every build has.
"""

import json
import sys
import time
from pathlib import Path

from app.services.pipelines.registry import PipelineRegistry
from app.services.video_file_pipeline_service import VideoFilePipelineService


def main(pipeline_id: str, video: Path) -> None:
    service = VideoFilePipelineService(PipelineRegistry())
    service.run_on_file(video, pipeline_id, max_frames=1)
    wall, cpu = time.perf_counter(), time.process_time()
    frames = len(service.run_on_file(video, pipeline_id))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cost = {"wall": wall / frames * 1e3, "cpu": cpu / frames * 1e3, "peak": peak_megabytes()}
    print(json.dumps(cost))


def peak_megabytes() -> float:
    """Of this program alone: getrusage counts that of the process that it was forked from."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1024


main(sys.argv[1], Path(sys.argv[2]))
