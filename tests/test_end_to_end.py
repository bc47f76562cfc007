"""Real processes, real footage: submit, status, results, as a client sees them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.make_tiny_mp4 import CODE, FRAME_COUNT, TINY_MP4
from tests.support.client import results, status, submit, wait_for, wait_until
from tests.support.footage import FRAME_COUNTS, clip
from tests.support.pipelines import READY, write_pipeline_package
from tests.support.server import ServerProcess, WorkerProcess

_STATUS_KEYS = {"job_id", "status", "progress", "created_at", "updated_at"}
_JOB_SECONDS = 100


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("end-to-end") / "data") as server:
        yield server


def frames_of(base_url: str, job_id: str) -> list[dict[str, Any]]:
    """The results of each frame, once the job is completed; the frames are counted from 0."""
    job = wait_for(base_url, job_id, _JOB_SECONDS)
    assert job.keys() == _STATUS_KEYS
    assert (job["job_id"], job["status"], job["progress"]) == (job_id, "completed", 1.0)

    answer = results(base_url, job_id)
    assert answer.keys() == {"job_id", "results"}
    assert answer["job_id"] == job_id
    frames: list[dict[str, Any]] = answer["results"]
    assert all(frame.keys() == {"frame_index", "result"} for frame in frames)
    assert [frame["frame_index"] for frame in frames] == list(range(len(frames)))
    return [frame["result"] for frame in frames]


@pytest.mark.parametrize("name", FRAME_COUNTS)
def test_every_frame_of_real_footage_is_searched_for_codes(
    name: str, server: ServerProcess
) -> None:
    job_id = submit(server.base_url, clip(name), "barcodes")
    assert frames_of(server.base_url, job_id) == [{"barcodes": []}] * FRAME_COUNTS[name]


def test_every_frame_of_real_footage_is_searched_for_text(server: ServerProcess) -> None:
    job_id = submit(server.base_url, clip("carphone_pristine.mp4"), "ocr")
    frames = frames_of(server.base_url, job_id)
    assert len(frames) == FRAME_COUNTS["carphone_pristine.mp4"]
    assert all(frame.keys() == {"text", "blocks"} for frame in frames)


def test_the_standalone_worker_finishes_what_a_stopped_server_left(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    server = ServerProcess(
        data_dir,
        plugins=[READY],
        env={"FORGESYTE_SHUTDOWN_GRACE_SECONDS": "0", "PIPELINE_SLEEP_SECONDS": "1"},
    )
    with server:
        slow = submit(server.base_url, TINY_MP4, "sleep")
        waiting = [submit(server.base_url, TINY_MP4, "barcodes") for _ in range(3)]
        assert [status(server.base_url, job_id)["status"] for job_id in waiting] == ["pending"] * 3
        server.stop()

    written = [data_dir / "video_jobs" / f"{job_id}_results.json" for job_id in [slow, *waiting]]
    assert not any(path.exists() for path in written)
    with WorkerProcess(data_dir, plugins=[READY], env={"PIPELINE_SLEEP_SECONDS": "0"}) as worker:
        wait_until(
            lambda: all(path.exists() for path in written) or not worker.is_running(),
            _JOB_SECONDS,
            "The results of every job",
        )
        assert worker.is_running()
        worker.signal(signal.SIGTERM)
        assert worker.wait(30) == 0

    with server:
        assert frames_of(server.base_url, slow) == [{"slept": 0.0}] * FRAME_COUNT
        for job_id in waiting:
            found = frames_of(server.base_url, job_id)
            texts = [[code["text"] for code in frame["barcodes"]] for frame in found]
            assert texts == [[CODE]] * FRAME_COUNT


THREADS = """
import os

def factory():
    import numpy  # whose OpenBLAS reads its variable now
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return lambda payload: {name: os.environ.get(name) for name in names}
"""


def test_libraries_leave_one_processor_to_the_server_unless_told(tmp_path: Path) -> None:
    package = write_pipeline_package(tmp_path / "pipelines", {"threads": THREADS})
    env = {"OMP_NUM_THREADS": "7"}
    with ServerProcess(tmp_path / "data", plugins=[package], env=env) as server:
        job_id = submit(server.base_url, TINY_MP4, "threads")
        assert wait_for(server.base_url, job_id, _JOB_SECONDS)["status"] == "completed"
        first, *_ = results(server.base_url, job_id)["results"]

    others = str(max(1, len(os.sched_getaffinity(0)) - 1))
    assert first["result"] == {
        "OMP_NUM_THREADS": "7",
        "OPENBLAS_NUM_THREADS": others,
        "MKL_NUM_THREADS": others,
    }
