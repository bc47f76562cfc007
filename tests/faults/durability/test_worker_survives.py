"""The worker goes on after whatever a pipeline or the database does, or the process ends."""

import signal
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.faults.durability.gate import Gate
from tests.faults.durability.patched import patched_server
from tests.faults.durability.rows import check_files, read_results, wait_until_idle
from tests.faults.durability.test_stop import upload_in_flight
from tests.support.client import connect, status, submit, wait_for, wait_until
from tests.support.pipelines import READY, write_pipeline_package
from tests.support.server import ServerProcess

RAISING = {
    "raise_exception": "The pipeline raised an exception.",
    "raise_base_exception": "The pipeline raised a disaster.",
    "raise_memory_error": "MemoryError",
    "raise_system_exit": "The pipeline wants to leave.",
    "raise_recursion_error": "maximum recursion depth exceeded",
    "raise_in_factory": "The factory of this pipeline raised an exception.",
}

ODD = {
    "unspeakable": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "half_a_character": r"raise ValueError('half \ud83d of it')",
    "zero_byte": r"raise ValueError('zero \x00 byte')",
    "interrupt": "raise KeyboardInterrupt",
    "cancelled": "import asyncio; raise asyncio.CancelledError",
    "stop_iteration": "raise StopIteration('over')",
    "generator_exit": "raise GeneratorExit('over')",
}

REFUSE_ONCE = """
from sqlalchemy.exc import OperationalError
from app.services.job_store import JobStore

real = JobStore.{move}
refusals = [OperationalError("UPDATE jobs", {{}}, Exception("not now"))]

def {move}(self, *args):
    if refusals:
        raise refusals.pop()
    return real(self, *args)

JobStore.{move} = {move}
"""

REFUSE_CLAIMS = """
import os
from sqlalchemy.exc import OperationalError
from app.services.job_store import JobStore

real = JobStore.claim

def claim(self, job_id):
    if os.path.exists({flag!r}):
        raise OperationalError("UPDATE jobs", {{}}, Exception("not now"))
    return real(self, job_id)

JobStore.claim = claim
"""

NOTING = """
def factory():
    def run(payload):
        with open({events!r}, "a") as events:
            events.write("a frame\\n")
        {then}

    return run
"""

CRASH_AT_THE_FIRST_JOB = """
from app.workers.worker import JobWorker

def run_once(self):
    if self._queue.dequeue():
        raise RuntimeError("a defect in the loop")
    return False

JobWorker.run_once = run_once
"""


def test_whatever_a_pipeline_raises_fails_its_job_and_no_other(
    tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    odd = write_pipeline_package(
        tmp_path / "odd",
        {
            name: f"def factory():\n    def run(payload):\n        {code}\n    return run\n"
            for name, code in ODD.items()
        },
    )
    bad, good = {}, []
    with ServerProcess(data_dir, plugins=[READY, odd]) as server:
        for pipeline_id in [*RAISING, *ODD]:
            bad[pipeline_id] = submit(server.base_url, clip, pipeline_id)
            good += [submit(server.base_url, clip, "nothing") for _ in range(20)]
        rows = wait_until_idle(data_dir, 120)
        with connect(server.base_url) as client:
            answers = {
                pipeline_id: client.get(f"/video/results/{job_id}")
                for pipeline_id, job_id in bad.items()
            }
        assert server.stop() == -signal.SIGTERM
    assert {rows[job_id].status for job_id in good} == {"completed"}
    for pipeline_id, job_id in bad.items():
        assert rows[job_id].status == "failed", pipeline_id
        assert rows[job_id].error_message, pipeline_id
        assert answers[pipeline_id].status_code == 404
        assert RAISING.get(pipeline_id, "") in answers[pipeline_id].json()["detail"]
    check_files(data_dir, rows)
    assert set(rows) == {*bad.values(), *good}


@pytest.mark.parametrize("move", ["claim", "complete", "fail"])
def test_move_that_the_database_refuses_once_is_made_later_and_no_frame_runs_twice(
    move: str, tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    events = tmp_path / "events"
    package = write_pipeline_package(
        tmp_path / "noted",
        {
            "good": NOTING.format(events=str(events), then="return {}"),
            "bad": NOTING.format(events=str(events), then="raise ValueError"),
        },
    )
    command = patched_server(REFUSE_ONCE.format(move=move))
    with ServerProcess(data_dir, command=command, plugins=[package]) as server:
        first = submit(server.base_url, clip, "bad" if move == "fail" else "good")
        others = [submit(server.base_url, clip, "good") for _ in range(20)]
        rows = wait_until_idle(data_dir)
        assert server.log().count("not now") > 0
    assert rows[first].status == ("failed" if move == "fail" else "completed")
    assert {rows[job_id].status for job_id in others} == {"completed"}
    assert len(events.read_text().splitlines()) == 21
    for job_id in others:
        assert read_results(data_dir, rows[job_id]) == [{"frame_index": 0, "result": {}}]


def test_job_whose_claim_is_refused_stays_pending_until_it_is_not(
    tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    flag = tmp_path / "refuse"
    flag.touch()
    command = patched_server(REFUSE_CLAIMS.format(flag=str(flag)))
    with ServerProcess(data_dir, command=command, plugins=[READY]) as server:
        job_id = submit(server.base_url, clip, "nothing")
        wait_until(lambda: server.log().count("Retrying") >= 3, 30, "The third refusal")
        assert status(server.base_url, job_id)["status"] == "pending"
        flag.unlink()
        assert wait_for(server.base_url, job_id, 30)["status"] == "completed"


@pytest.mark.parametrize("upload", [True, False])
def test_process_with_a_dead_loop_ends(
    upload: bool, data_dir: Path, gate: Gate, clip: bytes, long_clip: bytes
) -> None:
    command = patched_server(CRASH_AT_THE_FIRST_JOB)
    with ServerProcess(data_dir, command=command, plugins=[gate.plugin]) as server:
        if upload:
            with upload_in_flight(server, long_clip):
                submit_into_the_crash(server, clip)
                code = server.wait(4 * 5)
        else:
            submit_into_the_crash(server, clip)
            code = server.wait(4 * 5)
        assert code > 0
        assert "The worker's loop has crashed" in server.log()
        assert "RuntimeError: a defect in the loop" in server.log()
        assert "Traceback" in server.log()

    gate.open()
    with ServerProcess(data_dir, plugins=[gate.plugin]) as server:
        rows = wait_until_idle(data_dir)
        assert [row.status for row in rows.values()] == ["completed"]
        check_files(data_dir, rows)


def submit_into_the_crash(server: ServerProcess, video: bytes) -> None:
    """The answer may come or not: the worker hears of the job as soon as its row is there."""
    with suppress(httpx2.TransportError):
        submit(server.base_url, video, "gate")
