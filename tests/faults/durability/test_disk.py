"""Disks that are full or broken: refused in words, nothing torn, nothing acknowledged lost."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.faults.durability.gate import Gate
from tests.faults.durability.patched import patched_server
from tests.faults.durability.rows import (
    DATABASE,
    check_files,
    files,
    read_results,
    read_rows,
    wait_until_idle,
)
from tests.faults.durability.strace import injecting
from tests.support.client import connect, status, submit, wait_for, wait_until
from tests.support.mounts import fill, tmpfs
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

MIB = 1 << 20

REFUSE_COMMITS = """
import os
import duckdb
from duckdb_engine import Dialect

real = Dialect.do_commit

def do_commit(self, connection):
    if os.path.exists({flag!r}):
        raise duckdb.IOException("IO Error: the commit is refused")
    real(self, connection)

Dialect.do_commit = do_commit
"""


def post(server: ServerProcess, video: bytes, pipeline_id: str = "nothing") -> httpx2.Response:
    with connect(server.base_url) as client:
        return client.post(
            "/video/submit", files={"file": video}, data={"pipeline_id": pipeline_id}
        )


def test_refused_commit_takes_its_upload_with_it(
    tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    flag = tmp_path / "refuse"
    command = patched_server(REFUSE_COMMITS.format(flag=str(flag)))
    with ServerProcess(data_dir, command=command, plugins=[READY]) as server:
        flag.touch()
        answer = post(server, clip)
        assert answer.status_code == 503
        assert "database" in answer.json()["detail"]
        check_files(data_dir, {})
        assert read_rows(data_dir) == {}
        flag.unlink()
        job_id = submit(server.base_url, clip, "nothing")
        rows = wait_until_idle(data_dir)
        assert {job_id: row.status for job_id, row in rows.items()} == {job_id: "completed"}
        check_files(data_dir, rows)
        assert server.log().count(": running") == 1


class SmallDisks:
    """A server with its database and its files on a small disk each."""

    def __init__(self, folder: Path, gate: Gate) -> None:
        self.database = folder / "database"
        self.data = folder / "data"
        self.gate = gate
        self.server = ServerProcess(
            self.data,
            plugins=[gate.plugin],
            env={"FORGESYTE_DATABASE_URL": f"duckdb:///{self.database / DATABASE}"},
        )

    def fill_database(self, video: bytes) -> tuple[Path, list[str]]:
        """What to remove to make room again, and the jobs that were still taken in: the last
        page of DuckDB's log has room for some."""
        filler = fill(self.database)
        taken = []
        while (answer := post(self.server, video, "gate")).status_code == 200:
            taken.append(answer.json()["job_id"])
            assert len(taken) < 100
        assert answer.status_code == 503
        assert "database" in answer.json()["detail"]
        return filler, taken


@pytest.fixture
def disks(tmp_path: Path, gate: Gate) -> Iterator[SmallDisks]:
    folder = tmp_path / "disks"
    with tmpfs(folder / "database", 8 * MIB), tmpfs(folder / "data", 8 * MIB):
        disks = SmallDisks(folder, gate)
        with disks.server:
            yield disks


@pytest.mark.needs("mounts")
def test_database_that_cannot_grow_refuses_uploads_and_recovers(
    disks: SmallDisks, clip: bytes
) -> None:
    url = disks.server.base_url
    held = submit(url, clip, "gate")
    wait_until(disks.gate.has_arrived, 30, "The first job")
    filler, taken = disks.fill_database(clip)
    check_files(disks.data, read_rows(disks.database))
    assert status(url, held)["status"] == "running"
    filler.unlink()
    disks.gate.open()
    last = submit(url, clip, "gate")
    assert wait_for(url, last, 60)["status"] == "completed"
    rows = read_rows(disks.database)
    assert list(rows) == [held, *taken, last]
    assert {row.status for row in rows.values()} == {"completed"}
    check_files(disks.data, rows)


@pytest.mark.needs("mounts")
def test_full_disk_fails_the_job_as_soon_as_that_can_be_written(
    disks: SmallDisks, clip: bytes
) -> None:
    url = disks.server.base_url
    held = submit(url, clip, "gate")
    wait_until(disks.gate.has_arrived, 30, "The first job")
    filler, _ = disks.fill_database(clip)
    other_filler = fill(disks.data)
    disks.gate.open()
    wait_until(lambda: "Retrying" in disks.server.log(), 30, "The first refusal")
    for _ in range(20):
        assert status(url, held)["status"] == "running"
    assert not [path for path in files(disks.data) if "results" in path]
    other_filler.unlink()
    filler.unlink()
    assert wait_for(url, held, 60)["status"] == "failed"
    last = submit(url, clip, "gate")
    assert wait_for(url, last, 60)["status"] == "completed"
    rows = read_rows(disks.database)
    assert "No space left" in str(rows[held].error_message)
    check_files(disks.data, rows)
    assert disks.server.log().count(f"Job {held}: running") == 1


@pytest.mark.needs("mounts")
def test_start_on_a_full_disk_says_so_and_loses_nothing(disks: SmallDisks, clip: bytes) -> None:
    held = submit(disks.server.base_url, clip, "gate")
    wait_until(disks.gate.has_arrived, 30, "The first job")
    filler, taken = disks.fill_database(clip)
    disks.server.kill()
    assert disks.server.run_to_its_end(60) == 3
    assert "Traceback" not in disks.server.log()
    (line,) = [
        line
        for line in disks.server.log().splitlines()
        if "ERROR" in line and "startup failed" not in line
    ]
    assert "No space left" in line
    filler.unlink()
    disks.gate.open()
    disks.server.restart()
    rows = wait_until_idle(disks.database)
    assert {row.status for row in rows.values()} == {"completed"}
    assert list(rows) == [held, *taken]


@pytest.mark.needs("strace")
@pytest.mark.timeout(900)
def test_failing_fsync_loses_nothing_acknowledged_and_a_broken_database_ends_the_process(
    data_dir: Path, clip: bytes
) -> None:
    """Each thread meets one failing call, its n-th: the one that keeps uploads, the worker's, the
    database's."""
    acknowledged: list[str] = []
    ends = 0
    with ServerProcess(data_dir, plugins=[READY], args=["--no-access-log"]) as server:
        for when in range(1, 41):
            with injecting(server, "fsync,fdatasync", "error=EIO", when=when) as trace:
                acknowledged += submit_until_broken(server, clip, when + 1)
            assert trace.failed()
            if any(DATABASE in call for call in trace.failed()):
                assert server.wait(4 * 5) > 0
                assert "The database is unusable" in server.log()
                ends += 1
                server.restart()
            assert post(server, clip).status_code == 200
        rows = wait_until_idle(data_dir)
        assert set(acknowledged) <= rows.keys()
        check_files(data_dir, rows)
        for row in rows.values():
            if row.status == "completed":
                assert read_results(data_dir, row)
    assert ends > 10


def submit_until_broken(server: ServerProcess, video: bytes, times: int) -> list[str]:
    """What was acknowledged, until the server was gone or so many were sent."""
    acknowledged = []
    with suppress(httpx2.TransportError):
        for _ in range(times):
            answer = post(server, video)
            if answer.status_code == 200:
                acknowledged.append(answer.json()["job_id"])
            else:
                assert answer.status_code == 503
    return acknowledged
