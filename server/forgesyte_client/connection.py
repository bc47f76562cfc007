"""Requests to the server: answers as values, refusals as errors, and patience while it is away."""

import asyncio
import os
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar

import httpx2

from forgesyte_client.answers import Away, value_of
from forgesyte_client.environment import resolved
from forgesyte_client.errors import ForgeSyteClientError, ServerUnavailable
from forgesyte_client.upload import Upload

AWAY = (
    httpx2.NetworkError,
    httpx2.ProxyError,
    httpx2.RemoteProtocolError,
    httpx2.TimeoutException,
)
"""What a server that stops, starts or is too busy looks like from here, or a proxy before it."""

LONGEST_PAUSE_SECONDS = 5.0
UPLOADS = 64
"""How many uploads can be under way at a time."""

OF_ONE_CLIENT = ("event_hooks", "mounts", "transport")
"""Options of httpx2 that are either a blocking client's or an asynchronous one's."""

_INHERITED: list[object] = []
"""What a fork handed down. It is never freed: that could act on sockets of the other process."""

T = TypeVar("T")


class Connection:
    """See AsyncClient for the arguments.

    Connections belong to an event loop, threads to a process: in another loop, or after a fork, new
    ones are made.
    """

    def __init__(self, url: str, patience: float, options: dict[str, Any]) -> None:
        if unusable := options.keys() & OF_ONE_CLIENT:
            raise TypeError(
                f"{min(unusable)} cannot be given: uploads go through a blocking client, all else "
                "through an asynchronous one."
            )
        timeout = httpx2.Timeout(60, connect=10, pool=None)
        try:
            self._settings, via = resolved({"base_url": url, "timeout": timeout} | options)
        except httpx2.InvalidURL as error:
            raise ValueError(f"{url!r} is not a URL: {error}") from error
        self.where = f"{url}{via}"
        self._patience = patience
        self._has_answered = False
        self._closed = False
        self._open()

    def _open(self) -> None:
        single_use = {"limits": httpx2.Limits(max_keepalive_connections=0)}
        self._uploads = httpx2.Client(**self._settings | single_use)
        self._threads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")
        self._of_loops: dict[asyncio.AbstractEventLoop, _OfLoop] = {}
        self._pid = os.getpid()

    async def aclose(self) -> None:
        self._closed = True
        if self._pid != os.getpid():
            return
        self._uploads.close()
        self._threads.shutdown(wait=False)
        for loop, http in self._of_loops.items():
            if loop is asyncio.get_running_loop():
                await http.aclose()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(http.aclose(), loop)

    async def send(self, upload: Upload) -> httpx2.Response:
        """One attempt; cancelling it ends the upload."""
        self._require_open()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, upload.send, self._uploads)
        except asyncio.CancelledError:
            upload.abandon()
            raise

    async def request(self, read: Callable[[Any], T], method: str, path: str, **options: Any) -> T:
        """What `read` makes of the JSON that is answered; raises as `answer` does."""

        async def attempt() -> httpx2.Response:
            http = await self._http()
            with _of_http():
                return await http.request(method, path, **options)

        return await self.answer(attempt, lambda response: read(response.json()))

    async def get_pieces(self, path: str) -> AsyncIterator[bytes]:
        """The body of the JSON at `path` as it comes in; raises as `answer` does."""

        async def attempt() -> httpx2.Response:
            http = await self._http()
            with _of_http():
                response = await http.send(http.build_request("GET", path), stream=True)
                if not (response.is_success and _is_json(response)):
                    await response.aread()
            return response

        async with aclosing(await self.answer(attempt, _require_json)) as response:
            try:
                async for piece in response.aiter_bytes():
                    yield piece
            except AWAY as error:
                raise self.no_answer(error) from error

    async def answer(
        self,
        attempt: Callable[[], Awaitable[httpx2.Response]],
        read: Callable[[httpx2.Response], T],
        *,
        used_up: Callable[[], bool] = lambda: False,
    ) -> T:
        """What `read` makes of the successful answer of `attempt`, as `answers.value_of` says.

        `attempt` is called again while the server is away, unless `used_up`, for as long as the
        patience lasts.

        Raises:
            NotFound, Rejected: the server refuses.
            ServerUnavailable: the server fails, or is away for too long.
        """
        deadline = None
        pauses = growing_pauses()
        while True:
            try:
                return await self._value(attempt, read)
            except Away as away:
                error, pause = away.error, max(next(pauses), away.pause)
                self._has_answered |= away.is_there
            now = time.monotonic()
            if deadline is None:
                deadline = now + self._patience
            if used_up() or not self._has_answered or now + pause > deadline:
                raise error
            await asyncio.sleep(pause)

    async def _value(
        self,
        attempt: Callable[[], Awaitable[httpx2.Response]],
        read: Callable[[httpx2.Response], T],
    ) -> T:
        try:
            response = await attempt()
        except AWAY as error:
            raise Away(self.no_answer(error)) from error
        except httpx2.HTTPError as error:
            raise self.no_answer(error) from error
        try:
            value = value_of(response, read, self.where)
        except ForgeSyteClientError:
            self._has_answered = True
            raise
        self._has_answered = True
        return value

    def no_answer(self, error: httpx2.HTTPError) -> ServerUnavailable:
        return ServerUnavailable(f"There is no answer from {self.where}: {words_of(error)}.")

    async def _http(self) -> httpx2.AsyncClient:
        self._require_open()
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            for ended in [other for other in self._of_loops if other.is_closed()]:
                del self._of_loops[ended]
            self._of_loops[loop] = _OfLoop(httpx2.AsyncClient(**self._settings))
            await self._of_loops[loop].begin()
        return self._of_loops[loop].http

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("The client is closed.")
        if self._pid != os.getpid():
            _INHERITED.append(self._of_loops)
            self._open()


class _OfLoop:
    """The HTTP client of an event loop, closed when the loop ends, if not before.

    Before a loop ends, it closes the generators that were begun in it.
    """

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self._end = self._until_closed()

    async def begin(self) -> None:
        await anext(self._end)

    async def aclose(self) -> None:
        await self._end.aclose()

    async def _until_closed(self) -> AsyncGenerator[None, None]:
        async with self.http:
            yield


@contextmanager
def _of_http() -> Iterator[None]:
    """Whatever is wrong with a connection is an error of HTTP: a name that cannot be one, too."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise httpx2.TransportError(str(error)) from error


def _is_json(response: httpx2.Response) -> bool:
    return bool(response.headers.get("Content-Type", "").startswith("application/json"))


def _require_json(response: httpx2.Response) -> httpx2.Response:
    if not _is_json(response):
        raise ValueError("This is not JSON.")
    return response


def growing_pauses() -> Iterator[float]:
    """Seconds to wait between asking and asking again, without end.

    A pause is about a fifth of the time that has passed, from 0.1 to 5 seconds: that adds little to
    a short wait, and asks little of the server in a long one. They vary, so that many clients do
    not ask in step.
    """
    passed = 0.0
    while True:
        pause = min(0.1 + passed / 5, LONGEST_PAUSE_SECONDS) * random.uniform(0.8, 1.2)
        yield pause
        passed += pause


def words_of(error: httpx2.HTTPError) -> str:
    return str(error) or type(error).__name__
