"""A start that finds much takes little time and memory."""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import duckdb
import pytest
from sqlalchemy.orm import sessionmaker

from app.core.database import build_engine, migrate
from app.services.job_store import JobStore, NewJob
from app.services.storage.names import video_key
from tests.support.jobs import completed_job
from tests.support.server import ServerProcess

SLACK = 4
SECONDS = 2
MIB = 1 << 20


def pending(data_dir: Path) -> None:
    """A hundred thousand of them."""
    data_dir.mkdir()
    engine = build_engine(f"duckdb:///{data_dir}/foregsyte.duckdb")
    store = JobStore(sessionmaker(engine))
    with engine.connect() as connection:
        migrate(connection)
        for _ in range(100):
            ids = [uuid4() for _ in range(1000)]
            store.create([NewJob(job_id, "nothing", video_key(job_id)) for job_id in ids])
    engine.dispose()


def stored(data_dir: Path) -> None:
    """A job that was cut off after its results were stored, 200 MB of them."""
    completed_job(data_dir, 200_000_000)
    with duckdb.connect(str(data_dir / "foregsyte.duckdb")) as database:
        database.execute("UPDATE jobs SET status = 'running', output_path = NULL")


def start(data_dir: Path) -> tuple[float, int, str]:
    """How long until it listens, in seconds, the most memory until then, and what it says."""
    began = time.monotonic()
    with ServerProcess(data_dir) as server:
        return time.monotonic() - began, server.peak_rss(), server.log()


@pytest.mark.parametrize(
    ("make", "found", "growth"),
    [(pending, "100000 pending", 64 * MIB), (stored, "1 completed", 32 * MIB)],
    ids=["rows", "file"],
)
def test_start_is_quick_and_small(
    make: Callable[[Path], None], found: str, growth: int, tmp_path: Path
) -> None:
    make(tmp_path / "much")
    empty, least, _ = start(tmp_path / "empty")
    full, most, log = start(tmp_path / "much")
    assert found in log
    assert full - empty <= SLACK * SECONDS
    assert most - least <= growth
