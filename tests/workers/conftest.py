"""A worker on in-memory DuckDB, with a real storage and a real queue."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import sessionmaker

from app.core.database import build_engine
from app.core.database_thread import DatabaseThread
from app.services.job_store import JobRecord, JobStore, NewJob
from app.services.queue.memory_queue import MemoryQueue
from app.services.storage.local_storage import LocalStorage
from app.workers.job_dag import JobPipelines
from app.workers.worker import JobWorker
from tests.support.dags import Dag

TINY = Path(__file__).parents[1] / "fixtures" / "tiny.mp4"


class Bench:
    """Everything that a worker needs, and short ways to what a test asks of it."""

    def __init__(self, database: DatabaseThread, store: JobStore, root: Path) -> None:
        self.database = database
        self.store = store
        self.queue = MemoryQueue()
        self.storage = LocalStorage(root)

    def worker(self, pipelines: JobPipelines) -> JobWorker:
        return JobWorker(
            queue=self.queue,
            database=self.database,
            store=self.store,
            storage=self.storage,
            staging=self.storage.staging,
            pipelines=pipelines,
        )

    def submit(self, video: Path | None = TINY, pipeline_id: str = "test") -> UUID:
        """Store the video, insert the row and queue the id, as the route does."""
        job_id = uuid4()
        if video is not None:
            copy = self.storage.staging.folder / "upload"
            shutil.copyfile(video, copy)
            self.storage.save_file(copy, f"{job_id}.mp4")
            copy.unlink()
        job = NewJob(job_id, pipeline_id, f"{job_id}.mp4")
        assert self.database.call(self.store.create, [job]) == [None]
        self.queue.enqueue(job_id)
        return job_id

    def job(self, job_id: UUID) -> JobRecord:
        (job,) = self.database.call(self.store.get, [job_id])
        assert job is not None
        return job

    def files(self) -> set[str]:
        return {p.name for p in self.storage.root.rglob("*") if p.is_file()}


def recording(seen: list[Any], look: Callable[[Mapping[str, Any]], object]) -> Dag:
    """A pipeline that answers {} and keeps what `look` returned for each frame."""

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        seen.append(look(payload))
        return {}

    return Dag(run)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    def fatal(error: BaseException) -> None:
        raise AssertionError("the database is unusable") from error

    engine = build_engine("duckdb:///:memory:")
    database = DatabaseThread(engine, fatal)
    database.open()
    yield Bench(database, JobStore(sessionmaker(engine)), tmp_path / "video_jobs")
    database.close()
