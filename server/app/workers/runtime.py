"""The parts of a process that runs jobs, put together: built, started and stopped here.

The server and the standalone worker are both a Runtime; the server adds HTTP to it.
"""

import asyncio
import errno
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import sessionmaker

from app.core.database import SessionLocal, engine, engine_for
from app.core.database_place import find_misplaced, way_to
from app.core.database_thread import DatabaseThread
from app.core.error_messages import describe
from app.core.errors import DatabaseError, StartupError
from app.core.heaps import share_heaps
from app.core.settings import DATABASE_NAME, Settings, database_path
from app.services.job_store import JobStore, NewJob
from app.services.pipelines.registry import PipelineRegistry
from app.services.queue.memory_queue import MemoryQueue
from app.services.recovery import recover
from app.services.storage.local_storage import LocalStorage
from app.services.video_file_pipeline_service import VideoFilePipelineService
from app.workers.announced_end import AnnouncedEnd
from app.workers.exit import EXIT_FAILURE, exit_now
from app.workers.folder_lock import FolderLock
from app.workers.waiting import wait_any
from app.workers.worker import JobWorker

logger = logging.getLogger(__name__)

FRAME_SECONDS = 1.0  # what a frame may still take after an interruption
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EBADF}
"""What flock(2) answers where folders cannot be locked: some network and virtual filesystems."""


def open_storage(folder: Path) -> LocalStorage:
    """The storage in `folder`; StartupError when it cannot be one."""
    try:
        return LocalStorage(folder)
    except OSError as error:
        raise StartupError(f"{folder} cannot be used: {error.strerror}") from error


class Runtime:
    """Opens the database, takes over what is unfinished, runs jobs until it is stopped.

    `exit_now` ends the process; it is called when going on would be worse: the database is broken
    for good, or the worker's loop has crashed.
    """

    def __init__(self, settings: Settings, *, exit_now: Callable[[int], None] = exit_now) -> None:
        own_engine = engine_for(settings.database_url)
        sessions = SessionLocal if own_engine is engine else sessionmaker(own_engine)
        self._exit_now = exit_now
        self._loop_over = asyncio.Event()
        self._abandoned = False
        self._nothing_runs = False
        self.settings = settings
        self.database = DatabaseThread(own_engine, self._on_fatal_database)
        self.store = JobStore(sessions)
        self.storage = open_storage(settings.video_dir)
        self._folder_lock = FolderLock(self.storage.staging.folder)
        self._announced_end = AnnouncedEnd(settings.data_dir)
        self.queue = MemoryQueue()
        self.pipelines = PipelineRegistry()
        self.worker = self._build_worker()

    async def start(self) -> None:
        """Blocks nothing but its caller. Stopped before it has returned, no job will start.

        Raises:
            StartupError: one line on what is in the way.
        """
        share_heaps()
        await asyncio.to_thread(self._open)
        loop = asyncio.create_task(self.worker.run_forever(), name="worker loop")
        loop.add_done_callback(self._on_loop_done)
        await wait_any(self.worker.prepared, self._loop_over, timeout=None)

    def admit(self, jobs: Sequence[NewJob]) -> list[DatabaseError | None]:
        """Commit new jobs and queue them in the same order, with nothing in between that could be
        cancelled. Call it on the database's thread."""
        outcomes = self.store.create(jobs)
        for job, error in zip(jobs, outcomes, strict=True):
            if error is None:
                self.queue.enqueue(job.job_id)
        self.worker.wake()
        return outcomes

    def announce_end(self) -> None:
        """Let the next start know that this process was asked to end. Safe in a signal handler.

        Raises OSError: the data folder does not take it.
        """
        self._announced_end.announce()

    def flush_announcement(self) -> None:
        """Blocks for as long as the disk is busy."""
        try:
            self._announced_end.flush()
        except OSError:
            logger.warning("The announced end is not durable", exc_info=True)

    async def stop_worker(self, force: asyncio.Event) -> bool:
        """Start no further job, let the running one have its grace, then interrupt it.

        `force` ends the grace. False when a frame did not return: its thread is abandoned, and
        its job is pending again.
        """
        self.worker.stop()
        grace = self.settings.shutdown_grace_seconds
        await wait_any(self._loop_over, force, timeout=grace)
        self.worker.interrupt()
        await wait_any(self._loop_over, timeout=FRAME_SECONDS)
        job_id = self.worker.running
        if self._loop_over.is_set():
            self._nothing_runs = job_id is None
            return True
        self._abandoned = True
        self._nothing_runs = job_id is not None and await self._release(job_id)
        return False

    async def close(self) -> None:
        """Release the database and the folder."""
        await asyncio.to_thread(self._close)

    def _open(self) -> None:
        self._look_for_misplaced_database()
        self.database.open()
        try:
            self._take_over()
        except BaseException:
            self._close()
            raise

    def _look_for_misplaced_database(self) -> None:
        """Videos without a database are jobs that would be lost; without videos, it may be another
        server's."""
        path = Path(database_path(self.settings.database_url))
        if path != self.settings.data_dir / DATABASE_NAME or not (other := find_misplaced(path)):
            return
        if any(self.settings.video_dir.glob("*.mp4")):
            raise StartupError(way_to(other, path))
        logger.warning("%s", way_to(other, path))

    def _take_over(self) -> None:
        """The folder is locked after the database, whose lock tells who holds it."""
        self._lock_folder()
        try:
            if lacking := self.storage.try_out():
                logger.warning(
                    "About the filesystem of %s: %s", self.storage.root, " ".join(lacking)
                )
        except OSError as error:
            raise StartupError(
                f"{self.storage.root} cannot keep files: {error.strerror}"
            ) from error
        try:
            announced = self._announced_end.exists()
            recover(self.database, self.store, self.storage, self.queue, announced=announced)
            self._announced_end.take()
        except (DatabaseError, OSError) as error:
            raise StartupError(
                f"The jobs in {self.settings.data_dir} cannot be taken over: {describe(error)}"
            ) from error

    def _lock_folder(self) -> None:
        folder = self.settings.data_dir
        try:
            self._folder_lock.acquire()
        except BlockingIOError as error:
            raise StartupError(
                f"{folder} is in use by another process: one data folder, one process."
            ) from error
        except OSError as error:
            database = Path(database_path(self.settings.database_url))
            if error.errno not in NO_LOCKS or database.parent != folder:
                raise StartupError(f"{folder} cannot be locked: {error.strerror}") from error
            logger.warning(
                "%s cannot be locked (%s); the lock of the database in it has to do.",
                *(folder, error.strerror),
            )

    def _close(self) -> None:
        if self._nothing_runs:
            self._withdraw_announcement()
        self.database.close()
        self._folder_lock.release()

    def _withdraw_announcement(self) -> None:
        try:
            self._announced_end.withdraw()
        except OSError:
            logger.warning("The announced end stays until the next start", exc_info=True)

    async def _release(self, job_id: UUID) -> bool:
        """Make an abandoned job pending. When the database does not take it, the job is found as
        cut off at the next start."""
        logger.warning("Job %s: abandoned in the middle of a frame", job_id)
        try:
            async with asyncio.timeout(FRAME_SECONDS):
                await self.database.run(self.store.release, job_id)
        except (DatabaseError, TimeoutError):
            logger.warning("Job %s: not made pending again", job_id, exc_info=True)
            return False
        return True

    def _build_worker(self) -> JobWorker:
        return JobWorker(
            queue=self.queue,
            database=self.database,
            store=self.store,
            storage=self.storage,
            staging=self.storage.staging,
            pipelines=self.pipelines,
            service_of=partial(
                VideoFilePipelineService,
                max_frame_pixels=self.settings.max_frame_pixels,
                max_video_frames=self.settings.max_frames,
            ),
            prepare=self.pipelines.load_plugins,
        )

    def _on_loop_done(self, task: asyncio.Task[None]) -> None:
        self._loop_over.set()
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._abandoned:
            logger.warning("An abandoned job came back too late: %s", error)
            return
        logger.critical("The worker's loop has crashed; ending the process", exc_info=error)
        self._exit_now(EXIT_FAILURE)

    def _on_fatal_database(self, error: BaseException) -> None:
        logger.critical("The database is unusable; ending the process", exc_info=error)
        self._exit_now(EXIT_FAILURE)
