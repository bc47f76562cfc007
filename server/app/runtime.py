"""The parts of a process that takes jobs, put together: built, started and stopped here."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from app.core.database import SessionLocal, engine, engine_for
from app.core.database_thread import DatabaseThread
from app.core.errors import StartupError
from app.core.settings import Settings
from app.services.job_store import JobStore, NewJob
from app.services.pipelines.registry import PipelineRegistry
from app.services.queue.memory_queue import MemoryQueue
from app.services.storage.local_storage import LocalStorage

logger = logging.getLogger(__name__)

EXIT_FAILURE = 1


def leave(code: int) -> None:
    """End the process at once, whatever its threads are doing."""
    logging.shutdown()
    os._exit(code)


class Runtime:
    """Opens the database and the storage, and takes jobs.

    `leave` ends the process; it is called when the database is broken for good.
    """

    def __init__(self, settings: Settings, *, leave: Callable[[int], None] = leave) -> None:
        own_engine = engine_for(settings.database_url)
        sessions = SessionLocal if own_engine is engine else sessionmaker(own_engine)
        self._leave = leave
        self.settings = settings
        self.database = DatabaseThread(own_engine, self._on_fatal_database)
        self.store = JobStore(sessions)
        self.queue = MemoryQueue()
        self.pipelines = PipelineRegistry()

    async def start(self) -> None:
        """Blocks nothing but its caller.

        Raises:
            StartupError: one line on what is in the way.
        """
        await asyncio.to_thread(self._open)

    def admit(self, jobs: Sequence[NewJob]) -> list[SQLAlchemyError | None]:
        """Commit new jobs and queue them in the same order, with nothing in between that could be
        cancelled. Call it on the database's thread."""
        outcomes = self.store.create(jobs)
        for job, error in zip(jobs, outcomes, strict=True):
            if error is None:
                self.queue.enqueue(job.job_id)
        return outcomes

    async def close(self) -> None:
        """Give the database free."""
        await asyncio.to_thread(self.database.close)

    def _open(self) -> None:
        try:
            self.storage = LocalStorage(self.settings.video_dir)
        except OSError as error:
            raise StartupError(
                f"{self.settings.video_dir} cannot be used: {error.strerror}"
            ) from error
        self.database.open()

    def _on_fatal_database(self, error: BaseException) -> None:
        logger.critical("The database is unusable; leaving", exc_info=error)
        self._leave(EXIT_FAILURE)
