"""Running jobs, one at a time."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from tenacity import (
    RetryError,
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential,
)

from app.core.database_thread import DatabaseThread
from app.core.error_messages import describe
from app.core.errors import DatabaseError
from app.services.answer_file import AnswerFile
from app.services.job_store import JobRecord, JobStore
from app.services.queue.base import QueueService
from app.services.results_document import write_results
from app.services.storage.base import StagingArea, StorageService
from app.services.storage.names import results_key, staged_answers, staged_results
from app.services.video_file_pipeline_service import DagService, VideoFilePipelineService
from app.workers.job_dag import JobDag, JobInterrupted, JobPipelines

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

IDLE_SECONDS = 30.0
LONGEST_BACK_OFF_SECONDS = 5.0


class JobWorker:
    """Takes ids off the queue and takes their jobs to an end.

    `run_once` is synchronous and does all the work; `run_forever` calls it on a thread of its own
    and waits in between. `wake`, `stop` and `interrupt` may be called from any thread.
    """

    def __init__(
        self,
        *,
        queue: QueueService,
        database: DatabaseThread,
        store: JobStore,
        storage: StorageService,
        staging: StagingArea,
        pipelines: JobPipelines,
        service_of: Callable[[DagService], VideoFilePipelineService] = VideoFilePipelineService,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """`service_of` is called for each job, with its DagService. `prepare` is called on the
        thread that then runs the jobs; `prepared` says when."""
        self._prepare = prepare
        self.prepared = asyncio.Event()
        self._queue = queue
        self._database = database
        self._store = store
        self._storage = storage
        self._staging = staging
        self._pipelines = pipelines
        self._service_of = service_of
        self._interrupted = threading.Event()
        self._stopping = threading.Event()
        self._has_work: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.running: UUID | None = None
        """The job whose row says so; after a stop, one whose end the database did not take."""

    def run_once(self) -> bool:
        """Run the job at the front of the queue to its end. False when there is nothing to do, or
        the worker is stopping.

        Whatever a pipeline raises fails its job and no other.
        """
        if self._stopping.is_set():
            return False
        job_id = self._queue.dequeue()
        if job_id is None:
            return False
        try:
            job = self._write(self._store.claim, job_id)
            if job is not None:
                self.running = job_id
                self._run(job)
                self.running = None
        except RetryError:
            logger.warning("Stopping before the database took the state of job %s", job_id)
            return False
        return True

    async def run_forever(self) -> None:
        """Run jobs as they come, until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._has_work = asyncio.Event()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker")
        try:
            await self._loop.run_in_executor(thread, self._prepare)
            self.prepared.set()
            while not self._stopping.is_set():
                self._has_work.clear()
                while await self._loop.run_in_executor(thread, self.run_once):
                    pass
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._has_work.wait(), IDLE_SECONDS)
        finally:
            thread.shutdown(wait=False)

    def wake(self) -> None:
        """There is something on the queue."""
        if self._loop is not None and self._has_work is not None:
            self._loop.call_soon_threadsafe(self._has_work.set)

    def stop(self) -> None:
        """Start no further job; the running one goes on."""
        self._stopping.set()
        self.wake()

    def interrupt(self) -> None:
        """End the running job in front of its next frame; it becomes pending again."""
        self._interrupted.set()

    def _run(self, job: JobRecord) -> None:
        logger.info("Job %s: running %s", job.job_id, job.pipeline_id)
        try:
            output_path, frames = self._run_pipeline(job)
        except JobInterrupted:
            self._write(self._store.release, job.job_id)
            logger.info("Job %s: interrupted, pending again", job.job_id)
            return
        except BaseException as error:
            logger.warning("Job %s: failed", job.job_id, exc_info=True)
            self._write(self._store.fail, job.job_id, describe(error))
        else:
            self._write(self._store.complete, job.job_id, output_path)
            logger.info("Job %s: completed, %d frames", job.job_id, frames)
        self._discard_answers(job.job_id)

    def _run_pipeline(self, job: JobRecord) -> tuple[str, int]:
        """Store the results document, whole or not at all; returns its key, and how many frames
        were run."""
        video = self._storage.load_file(job.input_path)
        answers_path = self._staging.path(staged_answers(job.job_id))
        with (
            self._pipelines.open(job.pipeline_id) as pipeline,
            AnswerFile(answers_path, pipeline.fingerprint()) as answers,
        ):
            dag_service = JobDag(pipeline, answers, self._interrupted)
            results = self._service_of(dag_service).run_on_file(video, job.pipeline_id)
            return self._save(job.job_id, dag_service.results(results)), len(results)

    def _save(self, job_id: UUID, results: Iterable[Mapping[str, Any]]) -> str:
        key, staged = results_key(job_id), staged_results(job_id)
        path = self._staging.path(staged)
        try:
            write_results(path, job_id, results)
            self._storage.save_file(path, key)
        finally:
            self._staging.discard(staged)
        return key

    def _discard_answers(self, job_id: UUID) -> None:
        try:
            self._staging.discard(staged_answers(job_id))
        except OSError:
            logger.warning("Job %s: its answers stay until the next start", job_id, exc_info=True)

    def _write(self, change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Change a job's state, again and again until the database takes it.

        Raises:
            tenacity.RetryError: the worker is stopping and the database still refuses.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(DatabaseError),
            wait=wait_exponential(multiplier=0.1, max=LONGEST_BACK_OFF_SECONDS),
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            before_sleep=before_sleep_log(logger, logging.WARNING, exc_info=True),
        )
        return retrying(partial(self._database.call, change, *args, **kwargs))
