"""The client for code that cannot `await`."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack
from threading import Event
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

from anyio.from_thread import start_blocking_portal

from forgesyte_client.async_client import DEFAULT_URL, AsyncClient, FilePath, JobId
from forgesyte_client.models import Done, Job, Results
from forgesyte_client.progress import Observer

T = TypeVar("T")


class Client:
    """An AsyncClient on an event loop in a thread of its own: the same methods, without `await`.

    Closing it, or leaving its `with` block, ends what it is still doing. See AsyncClient for the
    arguments, and for what the methods do and raise. An observer is called on the client's thread.
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
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())

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
        with self._stack:
            self._call(self._client.aclose)

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
        over = Event()

        async def run() -> T:
            try:
                return await method(*args, **options)
            finally:
                over.set()

        future = self._portal.start_task_soon(run)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                over.wait()
            raise

    def _iterate(self, files: AsyncGenerator[Done, None]) -> Iterator[Done]:
        try:
            while (done := self._call(anext, files, None)) is not None:
                yield done
        finally:
            self._call(files.aclose)
