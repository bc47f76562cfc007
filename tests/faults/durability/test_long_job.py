"""A job of a pure pipeline loses little when it is interrupted, however often that happens."""

import json
import signal
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from app.services.video.parallel import usable_processors
from tests.clips import encode_clip
from tests.faults.durability.rows import VIDEOS, check_files, files, read_results, read_rows
from tests.support.client import connect, results, status, submit, wait_for, wait_until
from tests.support.pipelines import READY, read_events
from tests.support.server import ServerProcess

FRAMES = 1000
FRAME_SECONDS = 0.02
INTERRUPTED_EVERY = 3.0
MOST_INTERRUPTIONS = 60


@pytest.fixture
def long_video(tmp_path: Path) -> Path:
    """Its frames show their number in squares of black and white."""
    bits = ((n >> np.arange(12).reshape(3, 4)) & 1 for n in range(FRAMES))
    images = (np.kron(b, np.full((16, 16), 255)).astype(np.uint8) for b in bits)
    return encode_clip(tmp_path / "long.mp4", (np.dstack([image] * 3) for image in images))


@pytest.mark.timeout(600)
def test_it_completes_and_no_answer_that_was_kept_is_asked_for_again(
    data_dir: Path, tmp_path: Path, long_video: Path
) -> None:
    log = tmp_path / "events"
    env = {
        "PIPELINE_SLEEP_SECONDS": str(FRAME_SECONDS),
        "PIPELINE_LOG": str(log),
        "FORGESYTE_SHUTDOWN_GRACE_SECONDS": "0",
    }
    interruptions = 0
    with ServerProcess(data_dir, plugins=[READY], env=env) as server:
        job_id = submit(server.base_url, long_video, "pure_sleep")
        for number in cycle([signal.SIGTERM, signal.SIGKILL]):
            time.sleep(INTERRUPTED_EVERY)
            if status(server.base_url, job_id)["status"] not in ("pending", "running"):
                break
            interruptions += 1
            assert interruptions < MOST_INTERRUPTIONS
            server.signal(number)
            server.wait(30)
            server.restart()
        found = results(server.base_url, job_id)["results"]

    assert interruptions > 2
    assert [element["frame_index"] for element in found] == list(range(FRAMES))
    assert {json.dumps(element["result"]) for element in found} == {'{"slept": 0.02}'}
    begun = Counter(e.frame_index for e in read_events(log) if e.event == "began")
    assert len(begun) == FRAMES
    assert sum(begun.values()) <= FRAMES + interruptions * usable_processors()
    check_files(data_dir, read_rows(data_dir))


def test_what_is_torn_or_of_another_pipeline_is_asked_for_again(
    data_dir: Path, tmp_path: Path, long_video: Path
) -> None:
    log = tmp_path / "events"
    env = {"PIPELINE_SLEEP_SECONDS": "0.005", "PIPELINE_LOG": str(log)}
    answers = data_dir / VIDEOS / ".incoming"

    def answered() -> int:
        return sum(event.event == "ended" for event in read_events(log))

    with ServerProcess(data_dir, plugins=[READY], env=env) as server:
        job_id = submit(server.base_url, long_video, "pure_sleep")
        for damage in (torn, foreign):
            before = answered()
            wait_until(lambda before=before: answered() > before + 50, 60, "More answers")  # type: ignore[misc]
            with connect(server.base_url) as client:
                assert client.get(f"/video/results/{job_id}").status_code == 404
            server.kill()
            (path,) = answers.glob("*_answers.part")
            path.write_bytes(damage(path.read_bytes()))
            server.restart()
        assert wait_for(server.base_url, job_id, 120)["status"] == "completed"
        (row,) = read_rows(data_dir).values()
        assert len(read_results(data_dir, row)) == FRAMES
        assert files(data_dir) == {f"{VIDEOS}/{job_id}.mp4", f"{VIDEOS}/{job_id}_results.json"}


def torn(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 : -5]


def foreign(content: bytes) -> bytes:
    return bytes(16) + content[16:]


def test_a_job_fails_that_ends_the_process_before_it_has_got_further(
    data_dir: Path, tmp_path: Path, long_video: Path
) -> None:
    """Beside the frame that does so, others may be answered at every start."""
    env = {"PIPELINE_SLEEP_SECONDS": "0.005"}
    with ServerProcess(data_dir, plugins=[READY], env=env) as server:
        job_id = submit(server.base_url, long_video, "pure_segfault")
        for _ in range(2):
            assert server.wait(60) == -signal.SIGSEGV
            server.restart()
        assert status(server.base_url, job_id)["status"] == "failed"
        check_files(data_dir, read_rows(data_dir))
