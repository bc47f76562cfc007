"""The client for code that can `await`."""

import asyncio
import re
import secrets
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from itertools import islice
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self, TypeAlias
from urllib.parse import quote
from uuid import UUID

import httpx2

from forgesyte_client.answers import detail_of, in_short
from forgesyte_client.connection import AWAY, Connection, growing_pauses, words_of
from forgesyte_client.errors import (
    ForgeSyteClientError,
    JobFailed,
    NotFound,
    OutcomeUnknown,
    Rejected,
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

EMPTY_MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"
INSTALLED = re.compile(r".*; installed: (.*?)\.(?: Plugins that cannot be loaded: .*)?")
"""How a server refuses a pipeline that it does not have."""

FilePath: TypeAlias = str | PathLike[str]
JobId: TypeAlias = str | UUID
Jobs: TypeAlias = dict[str, Path]
"""The files of jobs that nobody has been told of yet, by the job's id."""


class AsyncClient:
    """Talks to the server at `url`.

    A server that has answered before is waited for when it is away, or something else answers in
    its place: it may be restarting. Requests are repeated then, until `patience` seconds after the
    first that failed, a submit only as long as it cannot have become a job. A server that has never
    answered is given up at once.

    It may be used in several event loops, one after the other or in threads, and after a fork.

    `progress` turns the bars off, or is called with each Step instead. `options` are httpx2's:
    headers, auth, proxy, verify, timeout and so on, all but `transport`, `mounts` and
    `event_hooks`.

    Raises:
        ValueError: `url` is not a URL.
        ServerUnavailable: it cannot be reached with the proxies and certificates that the
            environment names.
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
        """Upload a video, and return the id of its job. A pipe is read to its end.

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
        return await self._connection.request(Job.from_json, "GET", _path("status", job_id))

    async def results(self, job_id: JobId) -> Results:
        """The results of a completed job.

        Raises:
            JobFailed: with the server's reason.
            NotFound: there is no such job, or it is not over yet.
            Rejected, ServerUnavailable: as `status` does.
        """
        try:
            return await self._connection.request(
                Results.from_json, "GET", _path("results", job_id)
            )
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
        with observed(self._progress) as observe, _named(str(job_id)):
            return await self._wait(str(job_id), timeout, str(job_id), observe)

    async def run(
        self, path: FilePath, *, pipeline_id: str, timeout: float | None = None
    ) -> Results:
        """Submit a video, wait for its job, and return the results.

        `timeout` counts from the end of the upload. Raises what `submit`, `wait` and `results`
        raise; once there is a job, whatever ends this has a note of its id.
        """
        with observed(self._progress) as observe:
            job_id = await self._submit(Path(path), pipeline_id, observe)
            with _named(job_id):
                await self._wait(job_id, timeout, str(path), observe)
                return await self.results(job_id)

    async def pipelines(self) -> list[str]:
        """The ids of the pipelines that the server has.

        It names them when it refuses a video for one that it does not have.

        Raises:
            ServerUnavailable: as `status` does.
        """
        try:
            return await self._connection.request(
                _not_refused,
                "POST",
                "/video/submit",
                data={"pipeline_id": secrets.token_hex(16)},
                files={"file": ("video.mp4", EMPTY_MP4, "video/mp4")},
            )
        except Rejected as refusal:
            if found := INSTALLED.fullmatch(refusal.detail):
                return [] if found[1] == "none" else found[1].split(", ")
            raise

    def submit_many(
        self, paths: Iterable[FilePath], *, pipeline_id: str, concurrency: int = 8
    ) -> AsyncGenerator[Done, None]:
        """Submit many videos, up to `concurrency` at a time, each yielded when it has become a job.

        What goes wrong with one file is its `error`, and does not stop the others.
        """

        async def submit(path: Path, observe: Observer, jobs: Jobs) -> Done:
            job_id = await self._submit(path, pipeline_id, observe)
            jobs[job_id] = path
            return Done(path, job_id)

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
        counts for each file, from the end of its upload. What ends the waiting for all of them has
        a note of each job that was not yielded.
        """

        async def run(path: Path, observe: Observer, jobs: Jobs) -> Done:
            job_id = await self._submit(path, pipeline_id, observe)
            jobs[job_id] = path
            try:
                with _named(job_id):
                    await self._wait(job_id, timeout, str(path), observe)
                    return Done(path, job_id, await self.results(job_id))
            except (ForgeSyteClientError, OSError) as error:
                return Done(path, job_id, error=error)

        return self._for_each(paths, run, concurrency)

    async def _for_each(
        self,
        paths: Iterable[FilePath],
        work: Callable[[Path, Observer, Jobs], Awaitable[Done]],
        concurrency: int,
    ) -> AsyncGenerator[Done, None]:
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}: nothing would ever be done")
        observe = guarded(self._progress) if callable(self._progress) else _ignore

        jobs: Jobs = {}

        async def attempt(path: Path) -> Done:
            try:
                return await work(path, observe, jobs)
            except (ForgeSyteClientError, OSError) as error:
                return Done(path, error=error)

        waiting = map(Path, paths)
        running: set[asyncio.Task[Done]] = set()
        total = len(paths) if isinstance(paths, Sized) else None
        with counted(self._progress, total) as one_more, _each_named(jobs):
            try:
                while True:
                    for path in islice(waiting, concurrency - len(running)):
                        running.add(asyncio.create_task(attempt(path)))
                    if not running:
                        return
                    finished, running = await asyncio.wait(running, return_when=FIRST_COMPLETED)
                    for task in finished:
                        done = task.result()
                        jobs.pop(done.job_id or "", None)
                        with one_more():
                            yield done
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    async def _submit(self, path: Path, pipeline_id: str, observe: Observer) -> str:
        loop = asyncio.get_running_loop()

        def tell(sent: int, size: int) -> None:
            loop.call_soon_threadsafe(observe, Step(str(path), sent, size))

        upload = Upload(path, pipeline_id, tell)
        job_id = await self._connection.answer(
            lambda: self._attempt(upload),
            lambda response: str(response.json()["job_id"]),
            used_up=lambda: upload.used_up,
        )
        observe(Step(str(path), job_id=job_id, status=JobStatus.PENDING))
        return job_id

    async def _attempt(self, upload: Upload) -> httpx2.Response:
        try:
            response = await self._connection.send(upload)
        except AWAY as error:
            if upload.sent_whole:
                raise OutcomeUnknown(UNKNOWN.format(words_of(error))) from error
            raise
        except asyncio.CancelledError as error:
            if upload.sent_whole:
                error.add_note(UNKNOWN.format("nobody waited for the answer"))
            raise
        if upload.sent_whole and _tells_nothing(response):
            raise OutcomeUnknown(UNKNOWN.format(detail_of(response) or in_short(response)))
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


def _not_refused(body: object) -> NoReturn:
    raise ValueError("A server of ours has no pipeline of a name that nobody can know.")


def _tells_nothing(response: httpx2.Response) -> bool:
    """Whether there may be a job all the same."""
    if response.is_success:
        try:
            return "job_id" not in response.json()
        except (ValueError, TypeError):
            return True
    return response.is_server_error and response.status_code not in NOTHING_KEPT


@contextmanager
def _named(job_id: str) -> Iterator[None]:
    """Whatever ends this tells the job: the id is all that leads to what becomes of it."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, ForgeSyteClientError):
            error.job_id = job_id
        error.add_note(f"The job is {job_id}.")
        raise


@contextmanager
def _each_named(jobs: Jobs) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        for job_id, path in jobs.items():
            error.add_note(f"The job of {path} is {job_id}.")
        raise


def _ignore(step: Step) -> None:
    """Nobody wants to know."""
