"""Killed before and after each step that leaves a trace on disk, of a submit and of a finish.

The steps are the system calls that change something: between two of them nothing changes, so that
killing at each one, before it is made, is killing before and after each.
"""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from tests.faults.durability.gate import Gate
from tests.faults.durability.rows import (
    VIDEOS,
    WAL,
    check_files,
    read_results,
    read_rows,
    wait_until_idle,
)
from tests.faults.durability.strace import Trace, injecting
from tests.support.client import submit, wait_until
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.needs("strace"), pytest.mark.timeout(300)]


class Step(NamedTuple):
    """The `when`-th call of a kind; `seen` is what strace shows of it."""

    calls: str
    seen: str
    when: int = 1
    path: str | None = None
    main_thread_only: bool = False

    def kill(self, server: ServerProcess) -> AbstractContextManager[Trace]:
        return injecting(
            server,
            self.calls,
            "signal=SIGKILL",
            when=self.when,
            path=server.data_dir / self.path if self.path else None,
            main_thread_only=self.main_thread_only,
        )


COMMIT = [
    Step("write,pwrite64", f"{WAL}>", path=WAL),
    Step("fsync,fdatasync", f"{WAL}>", path=WAL),
]
SUBMIT = [
    Step("write", ".part>"),
    Step("fsync", ".part>"),
    Step("link,linkat", ".part"),
    Step("fsync", f"{VIDEOS}>", path=VIDEOS),
    *COMMIT,
    Step("unlink", ".part"),
    Step("sendto", "sendto", main_thread_only=True),
    Step("sendto", "sendto", when=2, main_thread_only=True),
]
FINISH = [
    Step("write", "_results.json.part>"),
    Step("fsync", "_results.json.part>"),
    Step("link,linkat", "_results.json.part"),
    Step("fsync", f"{VIDEOS}>", path=VIDEOS),
    Step("unlink", "_results.json.part"),
    *COMMIT,
]


@pytest.fixture
def server(data_dir: Path, gate: Gate) -> Iterator[ServerProcess]:
    """With the loop and the parser whose system calls are the plainest."""
    with ServerProcess(
        data_dir, plugins=[gate.plugin], loop="asyncio", http="h11", args=["--no-access-log"]
    ) as server:
        yield server


def submit_or_break(server: ServerProcess, video: bytes) -> str | None:
    """The id, if it was acknowledged."""
    try:
        return submit(server.base_url, video, "gate")
    except httpx2.TransportError:
        return None


@pytest.mark.parametrize("size", ["in one piece", "in many pieces"])
def test_no_answer_without_durable_upload_and_row(
    size: str, server: ServerProcess, gate: Gate, clip: bytes, long_clip: bytes
) -> None:
    video = clip if size == "in one piece" else long_clip
    for step in [*SUBMIT, None]:
        gate.close()
        if step is None:
            acknowledged = submit_or_break(server, video)
            server.signal(signal.SIGKILL)
        else:
            with step.kill(server) as trace:
                acknowledged = submit_or_break(server, video)
                assert step.seen in trace.killed_at(), step
        assert server.wait(30) == -signal.SIGKILL

        before = read_rows(server.data_dir)
        if acknowledged:
            assert acknowledged in before, step
        for row in before.values():
            assert (server.data_dir / VIDEOS / row.input_path).stat().st_size == len(video), step

        gate.open()
        server.restart()
        after = wait_until_idle(server.data_dir)
        assert after.keys() == before.keys(), step
        assert {row.status for row in after.values()} <= {"completed"}, step
        check_files(server.data_dir, after)
    assert len(after) >= len(SUBMIT) - SUBMIT.index(COMMIT[1])


def test_completed_means_whole_results_on_disk(
    server: ServerProcess, gate: Gate, clip: bytes
) -> None:
    for step in [*FINISH, None]:
        gate.close()
        job_id = submit(server.base_url, clip, "gate")
        wait_until(gate.has_arrived, 30, "The job's frame")
        if step is None:
            gate.open()
            wait_until(lambda: "completed, 1 frames" in server.log(), 30, "The end of the job")
            server.signal(signal.SIGKILL)
        else:
            with step.kill(server) as trace:
                gate.open()
                assert step.seen in trace.killed_at(), step
        assert server.wait(30) == -signal.SIGKILL

        row = read_rows(server.data_dir)[job_id]
        results = server.data_dir / VIDEOS / f"{job_id}_results.json"
        had_results = results.exists()
        if row.status == "completed":
            assert read_results(server.data_dir, row)
        else:
            assert row.status == "running", step

        server.restart()
        row = wait_until_idle(server.data_dir)[job_id]
        assert read_results(server.data_dir, row) == [{"frame_index": 0, "result": {"frame": 0}}]
        assert row.error_message is None
        check_files(server.data_dir, read_rows(server.data_dir))
        ran_again = f"Job {job_id}: running" in server.log()
        assert ran_again != had_results, step
