"""The client for code that cannot `await`."""

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from forgesyte_client.async_client import DEFAULT_URL, AsyncClient, FilePath, JobId
from forgesyte_client.models import Job
from forgesyte_client.progress import Observer
from forgesyte_client.results import Done, Results

T = TypeVar("T")


class Client:
    """An AsyncClient on an event loop in a thread of its own: the same methods, without `await`.

    Closing it, or leaving its `with` block, ends what it is still doing; one that is never closed
    does not keep the program from ending. See AsyncClient for the arguments, and for what the
    methods do and raise. An observer is called on the client's thread.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        patience: float = 30,
        progress: bool | Observer = True,
        **options: Any,
    ) -> None:
        self._client = AsyncClient(url, patience=patience, progress=progress, **options)
        self._starting = Lock()
        self._start()

    def _start(self) -> None:
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = runner.get_loop()
        closing = asyncio.Event()
        # The interpreter joins other threads before anything could end them at its exit.
        self._thread = Thread(
            target=_keep_running,
            args=(runner, self._client, closing),
            name="ForgeSyte client",
            daemon=True,
        )
        self._thread.start()
        # Nor does a client that is collected wait for its thread: that may be the thread it is on.
        self._end = weakref.finalize(self, self._loop.call_soon_threadsafe, closing.set)
        self._end.atexit = False
        self._pid = os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._end()
        if self._pid == os.getpid():
            self._thread.join()

    def submit(self, path: FilePath, *, pipeline_id: str) -> str:
        return self._call(self._client.submit, path, pipeline_id=pipeline_id)

    def status(self, job_id: JobId) -> Job:
        return self._call(self._client.status, job_id)

    def results(self, job_id: JobId) -> Results:
        return self._call(self._client.results, job_id)

    def copy_results(self, job_id: JobId, file: BinaryIO) -> None:
        self._call(self._client.copy_results, job_id, file)

    def wait(self, job_id: JobId, *, timeout: float | None = None) -> Job:
        return self._call(self._client.wait, job_id, timeout=timeout)

    def pipelines(self) -> list[str]:
        return self._call(self._client.pipelines)

    def run(self, path: FilePath, *, pipeline_id: str, timeout: float | None = None) -> Results:
        return self._call(self._client.run, path, pipeline_id=pipeline_id, timeout=timeout)

    def submit_many(
        self, paths: Iterable[FilePath], *, pipeline_id: str, concurrency: int = 8
    ) -> Iterator[Done]:
        return self._iterate(
            self._client.submit_many(paths, pipeline_id=pipeline_id, concurrency=concurrency)
        )

    def run_many(
        self,
        paths: Iterable[FilePath],
        *,
        pipeline_id: str,
        concurrency: int = 8,
        timeout: float | None = None,
    ) -> Iterator[Done]:
        return self._iterate(
            self._client.run_many(
                paths, pipeline_id=pipeline_id, concurrency=concurrency, timeout=timeout
            )
        )

    def _call(self, method: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
        """What `method` returns; what interrupts the waiting here cancels it there, to its end, and
        has its notes."""
        self._require_thread()
        begun, over = Event(), Event()
        outcome: list[object] = []

        async def run() -> T:
            begun.set()
            try:
                result = await method(*args, **options)
                outcome.append(result)
                return result
            except BaseException as error:
                outcome.append(error)
                raise
            finally:
                over.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except BaseException as error:
            if not future.done():
                begun.wait()  # a task that is cancelled earlier never gets to its end
                if future.cancel():
                    over.wait()
            for note in _notes_of(outcome, error):
                error.add_note(note)
            raise

    def _require_thread(self) -> None:
        if not self._end.alive:
            raise RuntimeError("The client is closed.")
        with self._starting:
            if self._pid != os.getpid():  # a fork takes no thread along but the one that forks
                self._end.detach()
                self._start()

    def _iterate(self, files: AsyncGenerator[Done, None]) -> Iterator[Done]:
        pid = os.getpid()
        try:
            while (done := self._call(anext, files, None)) is not None:
                yield done
                if pid != os.getpid():
                    raise RuntimeError("These files belong to the process before the fork.")
        finally:
            # A loop that ends has closed what it still iterated over.
            if self._end.alive and pid == os.getpid():
                self._call(files.aclose)


def _notes_of(outcome: list[object], raised: BaseException) -> list[str]:
    """What an interruption is to tell: the notes of what it ended, or the job of what it lost."""
    for result in outcome:
        if isinstance(result, BaseException):
            return [] if result is raised else list(getattr(result, "__notes__", []))
        if isinstance(job_id := getattr(result, "job_id", result), str):
            return [f"The job is {job_id}."]
    return []


def _keep_running(runner: asyncio.Runner, client: AsyncClient, closing: asyncio.Event) -> None:
    async def until_closed() -> None:
        async with client:
            await closing.wait()

    with runner:
        runner.run(until_closed())
