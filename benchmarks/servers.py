"""Servers that are measured while they work."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.apps import STALL_PATH
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import connect, status, submit, wait_until
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

_ROOT = Path(__file__).parents[1]
_RESET_PEAK = "5"  # proc_pid_clear_refs(5)


@dataclass(frozen=True)
class Run:
    """What some work took, and what it took of the server: seconds, seconds of processor time,
    the most resident memory above that before, in bytes, and the longest stall of its event
    loop in seconds."""

    seconds: float
    cpu_seconds: float
    rss_growth: int
    longest_stall: float


class MeasuredServer(ServerProcess):
    """One of `benchmarks.apps`, on an empty `data_dir`."""

    def __init__(self, app: str, data_dir: Path) -> None:
        super().__init__(
            data_dir.resolve(),
            command=[sys.executable, "-m", "benchmarks.apps", app],
            plugins=[READY],
            env={"PIPELINE_SLEEP_SECONDS": "86400"},
            cwd=_ROOT,
        )

    def hold_worker(self) -> Self:
        """Give the worker a job that does not end, so that later ones stay in the queue."""
        job_id = submit(self.base_url, TINY_MP4, "sleep")
        wait_until(
            lambda: status(self.base_url, job_id)["status"] == "running", 60, "The job's start"
        )
        return self

    def measure(self, work: Callable[[], object]) -> Run:
        """Do `work`, which uses the server, when earlier work has reached the disk."""
        os.sync()
        self._longest_stall()
        self._proc("clear_refs").write_text(_RESET_PEAK)
        rss, cpu, began = self.rss(), self.cpu_seconds(), time.perf_counter()
        work()
        return Run(
            seconds=time.perf_counter() - began,
            cpu_seconds=self.cpu_seconds() - cpu,
            rss_growth=self.peak_rss() - rss,
            longest_stall=self._longest_stall(),
        )

    def forget_videos(self) -> None:
        """Delete the files of what was uploaded; a job that waits for one is never run here."""
        for video in self.data_dir.glob("video_jobs/*.mp4"):
            video.unlink()

    def _longest_stall(self) -> float:
        with connect(self.base_url) as client:
            return float(client.get(STALL_PATH).json())
