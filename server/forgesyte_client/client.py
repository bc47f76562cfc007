"""The client for code that cannot `await`."""

import asyncio
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from threading import Event, Thread
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
        """What `method` returns; what interrupts the waiting here cancels it there, to its end."""
        if not self._end.alive:
            raise RuntimeError("The client is closed.")
        begun, over = Event(), Event()

        async def run() -> T:
            begun.set()
            try:
                return await method(*args, **options)
            finally:
                over.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                begun.wait()  # a task that is cancelled earlier never gets to its end
                if future.cancel():
                    over.wait()
            raise

    def _iterate(self, files: AsyncGenerator[Done, None]) -> Iterator[Done]:
        try:
            while (done := self._call(anext, files, None)) is not None:
                yield done
        finally:
            if self._end.alive:  # a loop that ends has closed what it still iterated over
                self._call(files.aclose)


def _keep_running(runner: asyncio.Runner, client: AsyncClient, closing: asyncio.Event) -> None:
    async def until_closed() -> None:
        async with client:
            await closing.wait()

    with runner:
        runner.run(until_closed())
