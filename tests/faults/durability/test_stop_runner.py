"""The standalone worker stops by the rules of the server."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.durability.conftest import MakeClip
from tests.faults.durability.craft import Craft
from tests.faults.durability.rows import read_results, read_rows, wait_until_idle
from tests.faults.durability.test_stop import HURRIED, PUT_BACK, SLACK
from tests.support.client import wait_until
from tests.support.pipelines import READY, read_events
from tests.support.server import WorkerProcess

SIGNALS = [signal.SIGTERM, signal.SIGINT]

pytestmark = pytest.mark.parametrize("number", SIGNALS)


@contextmanager
def runner(data_dir: Path, *, grace: float, frame: float = 0.1) -> Iterator[WorkerProcess]:
    env = {
        "FORGESYTE_SHUTDOWN_GRACE_SECONDS": str(grace),
        "PIPELINE_SLEEP_SECONDS": str(frame),
        "PIPELINE_LOG": str(data_dir.with_name("events")),
    }
    with WorkerProcess(data_dir, plugins=[READY], env=env) as worker:
        yield worker


def wait_for_frame(data_dir: Path) -> None:
    wait_until(lambda: bool(read_events(data_dir.with_name("events"))), 60, "The first frame")


def ends_within(worker: WorkerProcess, seconds: float, code: int) -> None:
    started = time.monotonic()
    assert worker.wait(60) == code, worker.log()
    assert time.monotonic() - started <= SLACK * seconds
    assert "Traceback" not in worker.log()


def test_idle(number: signal.Signals, data_dir: Path) -> None:
    with runner(data_dir, grace=60) as worker:
        wait_until(lambda: "Recovered" in worker.log(), 60, "The start")
        worker.signal(number)
        ends_within(worker, 2, 0)


def test_running_job_comes_to_its_end_and_no_other_starts(
    number: signal.Signals, data_dir: Path, make_clip: MakeClip
) -> None:
    craft = Craft(data_dir)
    job_ids = [craft.job(make_clip(30), pipeline_id="sleep") for _ in range(3)]
    with runner(data_dir, grace=30) as worker:
        wait_for_frame(data_dir)
        worker.signal(number)
        ends_within(worker, 4, 0)
    rows = read_rows(data_dir)
    assert [rows[job_id].status for job_id in job_ids] == ["completed", "pending", "pending"]
    assert len(read_results(data_dir, rows[job_ids[0]])) == 30


def test_job_is_interrupted_after_the_grace_and_goes_on_at_the_next_start(
    number: signal.Signals, data_dir: Path, make_clip: MakeClip
) -> None:
    job_id = Craft(data_dir).job(make_clip(600), pipeline_id="sleep")
    with runner(data_dir, grace=2) as worker:
        wait_for_frame(data_dir)
        worker.signal(number)
        ends_within(worker, 4, 0)
        row = read_rows(data_dir)[job_id]
        assert (row.status, row.error_message) == PUT_BACK
        worker.env["PIPELINE_SLEEP_SECONDS"] = "0"
        worker.start()
        assert wait_until_idle(data_dir)[job_id].status == "completed"


def test_stuck_frame_is_abandoned(number: signal.Signals, data_dir: Path, clip: bytes) -> None:
    job_id = Craft(data_dir).job(clip, pipeline_id="sleep")
    with runner(data_dir, grace=2, frame=120) as worker:
        wait_for_frame(data_dir)
        worker.signal(number)
        ends_within(worker, 5, HURRIED[number])
    row = read_rows(data_dir)[job_id]
    assert (row.status, row.error_message) == PUT_BACK


def test_second_signal_ends_the_grace(
    number: signal.Signals, data_dir: Path, make_clip: MakeClip
) -> None:
    job_id = Craft(data_dir).job(make_clip(600), pipeline_id="sleep")
    with runner(data_dir, grace=60) as worker:
        wait_for_frame(data_dir)
        worker.signal(number)
        wait_until(lambda: "Stopping on" in worker.log(), 30, "The signal's arrival")
        worker.signal(number)
        ends_within(worker, 2, 0)
    row = read_rows(data_dir)[job_id]
    assert (row.status, row.error_message) == PUT_BACK
