"""A start that cannot be good ends at once, says why in one line, and touches nothing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import duckdb
import pytest

import app
from tests.faults.durability.craft import Craft
from tests.faults.durability.gate import Gate
from tests.faults.durability.rows import DATABASE, VIDEOS, WAL, read_rows, wait_until_idle
from tests.support.client import submit, wait_until
from tests.support.mounts import read_only
from tests.support.pipelines import READY
from tests.support.server import ServerProcess, WorkerProcess
from tools.local_server import HOST

START_SECONDS = 4 * 10
ALEMBIC = [sys.executable, "-m", "alembic", "-c", str(Path(__file__).parents[3] / "alembic.ini")]

MIGRATION = """
from alembic import op
revision = "9999"
down_revision = "0001"

def upgrade():
    op.execute("ALTER TABLE jobs ADD COLUMN more VARCHAR")
    {fault}
"""


def refusal(server: ServerProcess) -> str:
    """The one line of ours that a server ends with which must not start; until then its port has
    never answered."""
    server.start()
    try:
        wait_until(partial(has_ended_unheard, server), START_SECONDS, "The end of the server")
        assert server.wait(0) != 0, server.log()
    finally:
        server.kill()
    return the_line(server.log())


def has_ended_unheard(server: ServerProcess) -> bool:
    with socket.socket() as client:
        assert client.connect_ex((HOST, server.port)) != 0, "The port answered."
    return not server.is_running()


def the_line(log: str) -> str:
    assert "Traceback" not in log
    assert "Uvicorn running" not in log
    lines = [line for line in log.splitlines() if "ERROR" in line]
    (line,) = [line for line in lines if "Application startup failed. Exiting." not in line]
    return line


def contents(data_dir: Path) -> dict[str, bytes]:
    return {name: (data_dir / name).read_bytes() for name in (DATABASE, WAL) if has(data_dir, name)}


def has(data_dir: Path, name: str) -> bool:
    return (data_dir / name).exists()


def kill_with_a_wal(data_dir: Path, video: bytes) -> list[str]:
    """The jobs of a server that was killed before it wrote its log through to the database."""
    with ServerProcess(data_dir, plugins=[READY]) as server:
        job_ids = [submit(server.base_url, video, "nothing") for _ in range(3)]
        wait_until_idle(data_dir)
        server.signal(signal.SIGKILL)
        server.wait(30)
    assert (data_dir / WAL).stat().st_size > 0
    return job_ids


def test_second_server_on_the_same_data(data_dir: Path, gate: Gate, clip: bytes) -> None:
    with ServerProcess(data_dir, plugins=[gate.plugin]) as first:
        job_id = submit(first.base_url, clip, "gate")
        wait_until(gate.has_arrived, 30, "The job")
        link = data_dir.with_name("link")
        link.symlink_to(data_dir)
        for second in (data_dir, link):
            line = refusal(ServerProcess(second))
            assert str(data_dir / DATABASE) in line
            assert f"process {first.pid}" in line
        gate.open()
        assert wait_until_idle(data_dir)[job_id].status == "completed"
        assert submit(first.base_url, clip, "gate")
        assert first.stop() == -signal.SIGTERM


def test_second_server_with_a_database_of_its_own(
    tmp_path: Path, data_dir: Path, gate: Gate, clip: bytes
) -> None:
    other = {"FORGESYTE_DATABASE_URL": f"duckdb:///{tmp_path / 'other.duckdb'}"}
    with ServerProcess(data_dir, plugins=[gate.plugin]) as first:
        job_id = submit(first.base_url, clip, "gate")
        wait_until(gate.has_arrived, 30, "The job")
        assert f"{data_dir} is in use" in refusal(ServerProcess(data_dir, env=other))
        gate.open()
        assert wait_until_idle(data_dir)[job_id].status == "completed"


def test_start_with_a_wrong_database_takes_no_video_away(
    tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    with ServerProcess(data_dir, plugins=[READY]) as server:
        job_id = submit(server.base_url, clip, "nothing")
        server.kill()  # at once
    wrong = {"FORGESYTE_DATABASE_URL": f"duckdb:///{tmp_path / 'wrong.duckdb'}"}
    for _ in range(2):
        with ServerProcess(data_dir, env=wrong) as server:
            server.stop()
    with ServerProcess(data_dir, plugins=[READY]):
        assert wait_until_idle(data_dir)[job_id].status == "completed"


def test_worker_beside_a_server(data_dir: Path, clip: bytes) -> None:
    with ServerProcess(data_dir, plugins=[READY]) as server:
        with WorkerProcess(data_dir) as worker:
            assert worker.wait(60) == 1
            line = the_line(worker.log())
        assert str(data_dir / DATABASE) in line
        assert f"process {server.pid}" in line
        assert submit(server.base_url, clip, "nothing")


def test_two_workers_of_uvicorn(data_dir: Path) -> None:
    server = ServerProcess(data_dir, args=["--workers", "2"])
    started = time.monotonic()
    server.run_to_its_end(60)
    assert time.monotonic() - started < START_SECONDS
    lines = server.log().splitlines()
    assert [
        line for line in lines if "ERROR" in line and f"{data_dir / DATABASE} is in use" in line
    ]
    assert "Traceback" not in server.log()


def test_corrupt_header(data_dir: Path, clip: bytes) -> None:
    Craft(data_dir).job(clip)
    database = data_dir / DATABASE
    damaged = bytearray(database.read_bytes())
    damaged[:64] = bytes(range(64))
    database.write_bytes(damaged)
    assert str(database) in refusal(ServerProcess(data_dir))
    assert contents(data_dir) == {DATABASE: bytes(damaged)}


def test_flipped_byte_in_the_log(data_dir: Path, clip: bytes) -> None:
    job_ids = kill_with_a_wal(data_dir, clip)
    wal = data_dir / WAL
    damaged = bytearray(wal.read_bytes())
    damaged[damaged.index(job_ids[1].encode())] ^= 1
    wal.write_bytes(damaged)
    before = contents(data_dir)
    assert str(data_dir / DATABASE) in refusal(ServerProcess(data_dir))
    assert contents(data_dir) == before


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ('raise RuntimeError("not on this machine")', "not on this machine"),
        ('op.execute("ALTER TABLE missing ADD COLUMN x INT")', "missing"),
    ],
)
def test_migration_that_raises(
    fault: str, reason: str, tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    Craft(data_dir).job(clip)
    before, rows = contents(data_dir), read_rows(data_dir)
    newer = tmp_path / "newer"
    (package,) = app.__path__
    shutil.copytree(package, newer / "app", ignore=shutil.ignore_patterns("__pycache__"))
    migration = newer / "app" / "migrations" / "versions" / "9999_more.py"
    migration.write_text(MIGRATION.format(fault=fault))
    line = refusal(ServerProcess(data_dir, env={"PYTHONPATH": str(newer)}))
    assert str(data_dir / DATABASE) in line
    assert reason in line
    assert read_rows(data_dir) == rows
    assert contents(data_dir)[DATABASE] == before[DATABASE]


def test_schema_of_another_version(data_dir: Path, clip: bytes) -> None:
    Craft(data_dir).job(clip)
    with duckdb.connect(str(data_dir / DATABASE)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'f00d'")
    before = contents(data_dir)
    line = refusal(ServerProcess(data_dir))
    assert str(data_dir / DATABASE) in line
    assert "f00d" in line
    assert contents(data_dir) == before


CREATED_WITHOUT_ALEMBIC = """
    CREATE TYPE job_status_enum AS ENUM ('pending', 'running', 'completed', 'failed');
    CREATE TABLE jobs (
        job_id UUID NOT NULL PRIMARY KEY, status job_status_enum NOT NULL,
        pipeline_id VARCHAR NOT NULL, input_path VARCHAR NOT NULL, output_path VARCHAR,
        error_message VARCHAR, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL
    );
    INSERT INTO jobs VALUES ('{job_id}', 'pending', 'nothing',
        'data/video_jobs/{job_id}.mp4', NULL, NULL, now()::TIMESTAMP, now()::TIMESTAMP);
"""


def table_without_alembic(data_dir: Path, statements: str, video: bytes) -> str:
    """The id of its one job."""
    job_id = "00000000-0000-4000-8000-000000000007"
    (data_dir / VIDEOS).mkdir(parents=True)
    (data_dir / VIDEOS / f"{job_id}.mp4").write_bytes(video)
    with duckdb.connect(str(data_dir / DATABASE)) as database:
        database.execute(statements.format(job_id=job_id))
    return job_id


def test_table_that_was_made_without_alembic_is_taken_over(data_dir: Path, clip: bytes) -> None:
    job_id = table_without_alembic(data_dir, CREATED_WITHOUT_ALEMBIC, clip)
    with ServerProcess(data_dir, plugins=[READY]) as server:
        assert wait_until_idle(data_dir)[job_id].status == "completed"
        second = submit(server.base_url, clip, "nothing")
        assert wait_until_idle(data_dir)[second].status == "completed"
        server.restart()
        assert list(read_rows(data_dir)) == [job_id, second]
        server.stop()
    alembic = [*ALEMBIC, "downgrade", "base"]
    env = os.environ | {"FORGESYTE_DATA_DIR": str(data_dir)}
    subprocess.run(alembic, env=env, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("error_message VARCHAR", "error_message VARCHAR, progress DOUBLE"),
        ("status job_status_enum", "status VARCHAR"),
        ("input_path VARCHAR NOT NULL", "input_path VARCHAR"),
    ],
)
def test_table_with_other_columns_is_refused(
    ours: str, theirs: str, data_dir: Path, clip: bytes
) -> None:
    statements = CREATED_WITHOUT_ALEMBIC.replace(ours, theirs).partition("INSERT")[0]
    table_without_alembic(data_dir, statements, clip)
    before = contents(data_dir)
    line = refusal(ServerProcess(data_dir))
    assert str(data_dir / DATABASE) in line
    assert "other columns" in line
    assert contents(data_dir) == before


@pytest.mark.needs("mounts")
def test_process_of_another_namespace_has_no_number(data_dir: Path) -> None:
    second = ServerProcess(data_dir)
    second.command[:0] = ["unshare", "--pid", "--fork", "--kill-child"]
    with ServerProcess(data_dir):
        assert f"{data_dir / DATABASE} is in use by another process" in refusal(second)


@pytest.mark.needs("mounts")
@pytest.mark.parametrize("is_new", [True, False])
def test_read_only_data_folder(is_new: bool, data_dir: Path, clip: bytes) -> None:
    if is_new:
        data_dir.mkdir()
    else:
        kill_with_a_wal(data_dir, clip)
    before = contents(data_dir)
    with read_only(data_dir):
        assert str(data_dir / (VIDEOS if is_new else DATABASE)) in refusal(ServerProcess(data_dir))
    assert contents(data_dir) == before


any_start = pytest.mark.parametrize(
    "module", ["uvicorn app.main:app", "app", "app.workers.worker_runner"]
)


@any_start
def test_data_folder_that_is_a_file(module: str, data_dir: Path) -> None:
    folder = data_dir.with_name("line\nbreak")
    folder.write_bytes(b"")
    server = ServerProcess(folder)
    server.command = [server.command[0], "-m", *module.split()]
    assert f"{data_dir.with_name('line break')}/video_jobs cannot be used" in refusal(server)


@any_start
@pytest.mark.parametrize("setting", ["FORGESYTE_MAX_FRAMES", "FORGESYTE_LOG_LEVEL"])
def test_invalid_setting(module: str, setting: str, data_dir: Path) -> None:
    server = ServerProcess(data_dir, env={setting: "many"})
    server.command = [server.command[0], "-m", *module.split()]
    assert setting in refusal(server)
    assert not data_dir.exists()
