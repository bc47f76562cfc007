"""Requests to the server: answers as values, refusals as errors, and patience while it is away."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

import httpx2

from forgesyte_client.errors import NotFound, Rejected, ServerUnavailable
from forgesyte_client.upload import Upload

AWAY = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)
"""What a server that stops, starts or is too busy looks like from here."""

TRY_AGAIN = (502, 503, 504)
"""Answers of a server that cannot do it now, and of a proxy that does not find the server."""

LONGEST_PAUSE_SECONDS = 5.0
UPLOADS = 64
"""How many uploads can be under way at a time."""

OF_ONE_CLIENT = ("event_hooks", "mounts", "transport")
"""Options of httpx2 that are either a blocking client's or an asynchronous one's."""

T = TypeVar("T")


class Connection:
    """See AsyncClient for the arguments."""

    def __init__(self, url: str, patience: float, options: dict[str, Any]) -> None:
        if unusable := options.keys() & OF_ONE_CLIENT:
            raise TypeError(
                f"{min(unusable)} cannot be given: uploads go through a blocking client, all else "
                "through an asynchronous one."
            )
        timeout = httpx2.Timeout(60, connect=10, pool=None)
        settings: dict[str, Any] = {"base_url": url, "timeout": timeout} | options
        try:
            self.http = httpx2.AsyncClient(**settings)
        except httpx2.InvalidURL as error:
            raise ValueError(f"{url!r} is not a URL: {error}") from error
        single_use = {"limits": httpx2.Limits(max_keepalive_connections=0)}
        self._uploads = httpx2.Client(**settings | single_use)
        self._threads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")
        self.url = url
        self._patience = patience
        self._has_answered = False

    async def aclose(self) -> None:
        await self.http.aclose()
        self._uploads.close()
        self._threads.shutdown(wait=False)

    async def send(self, upload: Upload) -> httpx2.Response:
        """One attempt; cancelling it ends the upload."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, upload.send, self._uploads)
        except asyncio.CancelledError:
            upload.abandon()
            raise

    async def get(self, path: str, read: Callable[[Any], T]) -> T:
        """What `read` makes of the JSON at `path`; raises as `answer` does."""
        return self.read(await self.answer(lambda: self.http.get(path)), read)

    async def get_pieces(self, path: str) -> AsyncIterator[bytes]:
        """The body at `path` as it comes in; raises as `answer` does."""
        request = self.http.build_request("GET", path)

        async def attempt() -> httpx2.Response:
            response = await self.http.send(request, stream=True)
            if not response.is_success:
                await response.aread()
            return response

        response = await self.answer(attempt)
        async with aclosing(response):
            try:
                async for piece in response.aiter_bytes():
                    yield piece
            except AWAY as error:
                raise self.no_answer(error) from error

    async def answer(self, attempt: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
        """The successful response of `attempt`, which is called again while the server is away.

        Raises:
            NotFound, Rejected: the server refuses.
            ServerUnavailable: the server fails, or is away for too long.
        """
        deadline = None
        pauses = growing_pauses()
        while True:
            try:
                response = await attempt()
            except AWAY as error:
                unavailable = self.no_answer(error)
            except httpx2.HTTPError as error:
                raise self.no_answer(error) from error
            else:
                self._has_answered = True
                if response.status_code not in TRY_AGAIN:
                    return successful(response)
                unavailable = ServerUnavailable(detail_of(response))
            pause, now = next(pauses), time.monotonic()
            if deadline is None:
                deadline = now + self._patience
            if not self._has_answered or now + pause > deadline:
                raise unavailable
            await asyncio.sleep(pause)

    def read(self, response: httpx2.Response, read: Callable[[Any], T]) -> T:
        try:
            return read(response.json())
        except (ValueError, KeyError, TypeError) as error:
            raise ServerUnavailable(
                f"What {self.url} answers is not what a ForgeSyte server says."
            ) from error

    def no_answer(self, error: httpx2.HTTPError) -> ServerUnavailable:
        return ServerUnavailable(f"There is no answer from {self.url}: {words_of(error)}.")


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


def successful(response: httpx2.Response) -> httpx2.Response:
    """The response, unless its status says that it is a refusal or a failure."""
    if response.is_success:
        return response
    detail = detail_of(response)
    if response.status_code == httpx2.codes.NOT_FOUND:
        raise NotFound(detail)
    if response.is_client_error:
        raise Rejected(response.status_code, detail)
    raise ServerUnavailable(detail)


def detail_of(response: httpx2.Response) -> str:
    """The server's own sentence, or the status where it says none."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered {response.status_code} {response.reason_phrase}."


def words_of(error: httpx2.HTTPError) -> str:
    return str(error) or type(error).__name__
