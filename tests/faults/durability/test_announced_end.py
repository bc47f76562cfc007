"""An end that was asked for is held against no job, whatever ends the process then."""

import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.models.job import JobStatus
from app.services.job_starts import MAX_STARTS, Starts
from app.services.job_store import INTERRUPTED_TWICE, STARTED_TOO_OFTEN
from tests.faults.durability.conftest import MakeClip
from tests.faults.durability.craft import Craft
from tests.faults.durability.patched import patched_server
from tests.faults.durability.rows import check_files, read_rows, wait_until_idle
from tests.support.client import submit, wait_until
from tests.support.pipelines import READY, read_events
from tests.support.server import ServerProcess, WorkerProcess

HOUR = 3600
DEPLOYS = 5

ANOTHER_BOOT = """
from pathlib import Path
from app.core import machine
machine.BOOT_ID = Path({path!r})
"""


class Frames:
    """A `sleep` pipeline that writes down its frames."""

    def __init__(self, data_dir: Path, seconds: float) -> None:
        self._log = data_dir.with_name(f"{data_dir.name}-events")
        self.env = {"PIPELINE_LOG": str(self._log), "PIPELINE_SLEEP_SECONDS": str(seconds)}

    def wait_for_one(self) -> None:
        """Since the last time."""
        wait_until(lambda: bool(read_events(self._log)), 60, "A frame")
        self._log.unlink()


def deploy(server: ServerProcess | WorkerProcess, patience: float) -> None:
    """What a supervisor does: ask, and kill what has not ended in time."""
    server.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while server.is_running() and time.monotonic() < deadline:
        time.sleep(0.02)
    server.kill()


@pytest.mark.timeout(600)
def test_deploys_fail_no_job(tmp_path: Path, make_clip: MakeClip) -> None:
    """A supervisor that waits so long, a frame that takes so long."""

    def case(patience: float, frame: float) -> None:
        data_dir = tmp_path / f"{patience}-{frame}"
        frames = Frames(data_dir, frame)
        with ServerProcess(data_dir, plugins=[READY], env=frames.env) as server:
            job_id = submit(server.base_url, make_clip(600), "sleep")
            for _ in range(DEPLOYS):
                frames.wait_for_one()
                deploy(server, patience)
                server.start()
                server.wait_ready()
                row = read_rows(data_dir)[job_id]
                assert (row.status, Starts.of(row.error_message).crashed) in (
                    ("pending", 0),
                    ("running", 0),
                )
            server.env["PIPELINE_SLEEP_SECONDS"] = "0"
            server.restart()  # a crash, the first one
            assert wait_until_idle(data_dir)[job_id].status == "completed"
            check_files(data_dir, read_rows(data_dir))

    cases = [(patience, frame) for patience in (0.2, 1, 5, 10) for frame in (0.1, HOUR)]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(case, *values) for values in cases]:
            done.result()


def test_the_worker_on_its_own_announces_its_end_too(data_dir: Path, clip: bytes) -> None:
    job_id = Craft(data_dir).job(clip, pipeline_id="sleep")
    frames = Frames(data_dir, HOUR)
    with WorkerProcess(data_dir, plugins=[READY], env=frames.env) as worker:
        for starts in range(1, 4):
            frames.wait_for_one()
            deploy(worker, 0.2)
            row = read_rows(data_dir)[job_id]
            assert row.status == "running"
            note = Starts.of(row.error_message)
            assert (note.started, note.crashed) == (starts, 0)
            worker.start()


def test_an_announced_end_keeps_the_count_of_crashes_and_excuses_no_later_one(
    data_dir: Path, clip: bytes
) -> None:
    frames = Frames(data_dir, HOUR)
    with ServerProcess(data_dir, plugins=[READY], env=frames.env) as server:
        job_id = submit(server.base_url, clip, "sleep")
        frames.wait_for_one()
        server.restart()
        frames.wait_for_one()
        deploy(server, 0.2)
        server.restart()
        frames.wait_for_one()
        assert Starts.of(read_rows(data_dir)[job_id].error_message)[:2] == (3, 1)
        server.restart()
        row = read_rows(data_dir)[job_id]
        assert (row.status, row.error_message) == ("failed", INTERRUPTED_TWICE)


def test_a_server_that_is_refused_its_start_announces_nothing(data_dir: Path, clip: bytes) -> None:
    frames = Frames(data_dir, HOUR)
    with ServerProcess(data_dir, plugins=[READY], env=frames.env) as server:
        submit(server.base_url, clip, "sleep")
        frames.wait_for_one()
        second = ServerProcess(data_dir)
        second.start()
        wait_until(lambda: "Waiting for application startup" in second.log(), 60, "The second")
        deploy(second, 30)
        assert {path.name for path in data_dir.iterdir() if path.is_file()} == {
            "foregsyte.duckdb",
            "foregsyte.duckdb.wal",
        }


def test_power_cuts_are_held_against_no_job(tmp_path: Path, data_dir: Path, clip: bytes) -> None:
    boot = tmp_path / "boot_id"
    frames = Frames(data_dir, HOUR)
    command = patched_server(ANOTHER_BOOT.format(path=str(boot)))
    boot.write_text("0")
    with ServerProcess(data_dir, plugins=[READY], command=command, env=frames.env) as server:
        job_id = submit(server.base_url, clip, "sleep")
        for number in range(1, 4):
            frames.wait_for_one()
            server.kill()
            boot.write_text(str(number))
            server.restart()
        frames.wait_for_one()
        server.restart()
        frames.wait_for_one()
        assert Starts.of(read_rows(data_dir)[job_id].error_message) == (5, 1, "3")
        server.restart()
        assert read_rows(data_dir)[job_id].status == "failed"


def test_a_stop_in_the_first_second_is_held_against_no_job(
    tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    """Wherever in its start, or in that of its job, the server is."""
    job_id = Craft(data_dir).job(clip, pipeline_id="sleep")

    def case(seconds: float) -> None:
        copy = tmp_path / f"after-{seconds}"
        shutil.copytree(data_dir, copy)
        server = ServerProcess(copy, plugins=[READY], env={"PIPELINE_SLEEP_SECONDS": str(HOUR)})
        for _ in range(3):
            server.start()
            time.sleep(seconds)
            deploy(server, 0.5)
        server.env["PIPELINE_SLEEP_SECONDS"] = "0"
        with server:
            row = wait_until_idle(copy)[job_id]
        assert (row.status, row.error_message) == ("completed", None)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(case, tenths / 10) for tenths in range(0, 24, 2)]:
            done.result()


@pytest.mark.parametrize(
    ("starts", "end"),
    [(MAX_STARTS - 2, ("running", None)), (MAX_STARTS - 1, ("failed", STARTED_TOO_OFTEN))],
)
def test_a_job_is_not_started_for_ever(
    starts: int, end: tuple[str, str | None], data_dir: Path, clip: bytes
) -> None:
    note = str(Starts(started=starts))
    job_id = Craft(data_dir).job(clip, JobStatus.PENDING, pipeline_id="sleep", error_message=note)
    frames = Frames(data_dir, HOUR)
    with ServerProcess(data_dir, plugins=[READY], env=frames.env) as server:
        frames.wait_for_one()
        deploy(server, 0.2)
        server.restart()
        if end[0] == "running":
            frames.wait_for_one()
        row = read_rows(data_dir)[job_id]
        assert row.status == end[0]
        assert row.error_message == (end[1] or row.error_message)
