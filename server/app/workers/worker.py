"""Taking jobs off the queue, one at a time."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError
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
from app.services.job_store import JobStore
from app.services.queue.base import QueueService

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

IDLE_SECONDS = 30.0
LONGEST_BACK_OFF_SECONDS = 5.0


class JobWorker:
    """Takes ids off the queue and marks their jobs as running.

    `run_once` is synchronous and does all the work; `run_forever` calls it on a thread of its own
    and waits in between. `wake` and `stop` may be called from any thread.
    """

    def __init__(
        self,
        *,
        queue: QueueService,
        database: DatabaseThread,
        store: JobStore,
    ) -> None:
        self._queue = queue
        self._database = database
        self._store = store
        self._stopping = threading.Event()
        self._has_work: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run_once(self) -> bool:
        """Mark the job at the front of the queue as running. False when there is nothing to do,
        or the worker is stopping."""
        if self._stopping.is_set():
            return False
        job_id = self._queue.dequeue()
        if job_id is None:
            return False
        try:
            job = self._write(self._store.claim, job_id)
            if job is not None:
                logger.info("Job %s: running", job.job_id)
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
        """Start no further job."""
        self._stopping.set()
        self.wake()

    def _write(self, change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Change a job's state, again and again until the database takes it.

        Raises:
            tenacity.RetryError: the worker is stopping and the database still refuses.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(SQLAlchemyError),
            wait=wait_exponential(multiplier=0.1, max=LONGEST_BACK_OFF_SECONDS),
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            before_sleep=before_sleep_log(logger, logging.WARNING, exc_info=True),
        )
        return retrying(partial(self._database.call, change, *args, **kwargs))
