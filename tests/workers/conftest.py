"""A worker on in-memory DuckDB, with a real storage and a real queue."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import sessionmaker

from app.core.database import build_engine
from app.core.database_thread import DatabaseThread
from app.services.job_store import JobRecord, JobStore, NewJob
from app.services.queue.memory_queue import MemoryQueue
from app.services.storage.local_storage import LocalStorage
from app.workers.worker import JobWorker

TINY = Path(__file__).parents[1] / "fixtures" / "tiny.mp4"


class Bench:
    """Everything that a worker needs, and short ways to what a test asks of it."""

    def __init__(self, database: DatabaseThread, store: JobStore, root: Path) -> None:
        self.database = database
        self.store = store
        self.queue = MemoryQueue()
        self.storage = LocalStorage(root)

    def worker(self) -> JobWorker:
        return JobWorker(queue=self.queue, database=self.database, store=self.store)

    def submit(self, video: Path | None = TINY, pipeline_id: str = "test") -> UUID:
        """Store the video, insert the row and queue the id, as the route does."""
        job_id = uuid4()
        if video is not None:
            copy = self.storage.incoming / "upload"
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


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    def fatal(error: BaseException) -> None:
        raise AssertionError("the database is unusable") from error

    engine = build_engine("duckdb:///:memory:")
    database = DatabaseThread(engine, fatal)
    database.open()
    yield Bench(database, JobStore(sessionmaker(engine)), tmp_path / "video_jobs")
    database.close()
