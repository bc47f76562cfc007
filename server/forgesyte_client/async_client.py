"""The client for code that can `await`."""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sized
from itertools import islice
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeAlias
from urllib.parse import quote
from uuid import UUID

import httpx2

from forgesyte_client.connection import AWAY, Connection, detail_of, growing_pauses, words_of
from forgesyte_client.errors import (
    ForgeSyteClientError,
    JobFailed,
    NotFound,
    OutcomeUnknown,
    WaitTimeout,
)
from forgesyte_client.models import Job, JobStatus
from forgesyte_client.progress import Observer, Step, counted, guarded, observed
from forgesyte_client.results import Done, Results
from forgesyte_client.upload import Upload

DEFAULT_URL = "http://127.0.0.1:8000"

NOTHING_KEPT = (503, 507)
"""Failures with which the server says that the upload has not become a job."""

UNKNOWN = "The upload was sent whole, but its outcome is unknown ({}): it may have become a job."

FilePath: TypeAlias = str | PathLike[str]
JobId: TypeAlias = str | UUID


class AsyncClient:
    """Talks to the server at `url`.

    A server that has answered before is waited for when it is away: it may be restarting. Requests
    are repeated then, until `patience` seconds after the first that failed, a submit only as long
    as it cannot have become a job. A server that has never answered is given up at once.

    `progress` turns the bars off, or is called with each Step instead. `options` are httpx2's:
    headers, auth, proxy, verify, timeout and so on, all but `transport`, `mounts` and
    `event_hooks`.

    Raises:
        ValueError: `url` is not a URL.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        patience: float = 30,
        progress: bool | Observer = True,
        **options: Any,
    ) -> None:
        self._progress = progress
        self._connection = Connection(url, patience, options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def submit(self, path: FilePath, *, pipeline_id: str) -> str:
        """Upload a video, and return the id of its job.

        Raises:
            Rejected: the server does not take this file or this pipeline.
            OutcomeUnknown: the connection broke when everything had been sent.
            ServerUnavailable: the server cannot take it now; there is no job.
            OSError: the file cannot be read.
        """
        with observed(self._progress) as observe:
            return await self._submit(Path(path), pipeline_id, observe)

    async def status(self, job_id: JobId) -> Job:
        """How far a job is.

        Raises:
            NotFound: there is no such job.
            Rejected: this is no job id.
            ServerUnavailable: the server cannot be reached.
        """
        return await self._connection.get(_path("status", job_id), Job.from_json)

    async def results(self, job_id: JobId) -> Results:
        """The results of a completed job.

        Raises:
            JobFailed: with the server's reason.
            NotFound: there is no such job, or it is not over yet.
            Rejected, ServerUnavailable: as `status` does.
        """
        try:
            return await self._connection.get(_path("results", job_id), Results.from_json)
        except NotFound as refusal:
            raise _explained(job_id, refusal) from None

    async def copy_results(self, job_id: JobId, file: BinaryIO) -> None:
        """Write the document of the results to `file` as it comes in, however large it is.

        Raises as `results` does; `file` then holds nothing, or a part of the document.
        """
        try:
            async for piece in self._connection.get_pieces(_path("results", job_id)):
                await asyncio.to_thread(file.write, piece)
        except NotFound as refusal:
            raise _explained(job_id, refusal) from None

    async def wait(self, job_id: JobId, *, timeout: float | None = None) -> Job:
        """Return the job when it is completed.

        Raises:
            JobFailed: with the server's reason.
            WaitTimeout: it was not over within `timeout` seconds. 0 asks once; None waits for ever.
            NotFound, ServerUnavailable: as `status` does.
        """
        with observed(self._progress) as observe:
            return await self._wait(str(job_id), timeout, str(job_id), observe)

    async def run(
        self, path: FilePath, *, pipeline_id: str, timeout: float | None = None
    ) -> Results:
        """Submit a video, wait for its job, and return the results.

        `timeout` counts from the end of the upload. Raises what `submit`, `wait` and `results`
        raise; once there is a job, the error has a note of its id.
        """
        with observed(self._progress) as observe:
            job_id = await self._submit(Path(path), pipeline_id, observe)
            try:
                await self._wait(job_id, timeout, str(path), observe)
                return await self.results(job_id)
            except ForgeSyteClientError as error:
                error.add_note(f"The job is {job_id}.")
                raise

    def submit_many(
        self, paths: Iterable[FilePath], *, pipeline_id: str, concurrency: int = 8
    ) -> AsyncGenerator[Done, None]:
        """Submit many videos, up to `concurrency` at a time, each yielded when it has become a job.

        What goes wrong with one file is its `error`, and does not stop the others.
        """

        async def submit(path: Path, observe: Observer) -> Done:
            return Done(path, job_id=await self._submit(path, pipeline_id, observe))

        return self._for_each(paths, submit, concurrency)

    def run_many(
        self,
        paths: Iterable[FilePath],
        *,
        pipeline_id: str,
        concurrency: int = 8,
        timeout: float | None = None,
    ) -> AsyncGenerator[Done, None]:
        """Run many videos, up to `concurrency` at a time, each yielded when its job is over.

        What goes wrong with one file is its `error`, and does not stop the others. `timeout`
        counts for each file, from the end of its upload.
        """

        async def run(path: Path, observe: Observer) -> Done:
            job_id = await self._submit(path, pipeline_id, observe)
            try:
                await self._wait(job_id, timeout, str(path), observe)
                return Done(path, job_id, await self.results(job_id))
            except ForgeSyteClientError as error:
                return Done(path, job_id, error=error)

        return self._for_each(paths, run, concurrency)

    async def _for_each(
        self,
        paths: Iterable[FilePath],
        work: Callable[[Path, Observer], Awaitable[Done]],
        concurrency: int,
    ) -> AsyncGenerator[Done, None]:
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}: nothing would ever be done")
        observe = guarded(self._progress) if callable(self._progress) else _ignore

        async def attempt(path: Path) -> Done:
            try:
                return await work(path, observe)
            except (ForgeSyteClientError, OSError) as error:
                return Done(path, error=error)

        waiting = map(Path, paths)
        running: set[asyncio.Task[Done]] = set()
        with counted(self._progress, len(paths) if isinstance(paths, Sized) else None) as one_more:
            try:
                while True:
                    for path in islice(waiting, concurrency - len(running)):
                        running.add(asyncio.create_task(attempt(path)))
                    if not running:
                        return
                    finished, running = await asyncio.wait(running, return_when=FIRST_COMPLETED)
                    for task in finished:
                        with one_more():
                            yield task.result()
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    async def _submit(self, path: Path, pipeline_id: str, observe: Observer) -> str:
        loop = asyncio.get_running_loop()

        def tell(sent: int, size: int) -> None:
            loop.call_soon_threadsafe(observe, Step(str(path), sent, size))

        response = await self._connection.answer(
            lambda: self._attempt(Upload(path, pipeline_id, tell))
        )
        return self._connection.read(response, lambda body: str(body["job_id"]))

    async def _attempt(self, upload: Upload) -> httpx2.Response:
        try:
            response = await self._connection.send(upload)
        except AWAY as error:
            if upload.sent_whole:
                raise OutcomeUnknown(UNKNOWN.format(words_of(error))) from error
            raise
        failed = response.is_server_error and response.status_code not in NOTHING_KEPT
        if failed and upload.sent_whole:
            raise OutcomeUnknown(UNKNOWN.format(detail_of(response)))
        return response

    async def _wait(
        self, job_id: str, timeout: float | None, subject: str, observe: Observer
    ) -> Job:
        try:
            async with asyncio.timeout(timeout or None):
                job = await self._last_status(job_id, subject, observe, once=timeout == 0)
        except TimeoutError:
            raise WaitTimeout(f"Job {job_id} is not over after {timeout:g} seconds.") from None
        if job.status is JobStatus.FAILED:
            await self.results(job_id)  # raises JobFailed: the reason stands in their place
        return job

    async def _last_status(
        self, job_id: str, subject: str, observe: Observer, *, once: bool
    ) -> Job:
        pauses = growing_pauses()
        while True:
            job = await self.status(job_id)
            observe(Step(subject, job_id=job.job_id, status=job.status))
            if job.status.is_over:
                return job
            if once:
                raise TimeoutError
            await asyncio.sleep(next(pauses))


def _path(view: str, job_id: JobId) -> str:
    return f"/video/{view}/{quote(str(job_id), safe='')}"


def _explained(job_id: JobId, refusal: NotFound) -> JobFailed | NotFound:
    """Where a failed job's results would be, the server says why it has failed."""
    _, has_failed, reason = str(refusal).partition(" has failed: ")
    return JobFailed(str(job_id), reason) if has_failed else refusal


def _ignore(step: Step) -> None:
    """Nobody wants to know."""
