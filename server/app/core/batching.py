"""Serving calls together that arrive while a thread is busy."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Batcher(Generic[A, R]):
    """Turns a function of many arguments into one of a single argument.

    `serve` gets what has gathered, in the order of the calls, and returns an outcome for each; an
    outcome that is an exception is raised to its caller alone. Nothing waits for company: a call
    that finds no other under way is served at once. A call that is cancelled is served all the
    same, unless the event loop ends, which cancels every call.
    """

    def __init__(
        self, serve: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]], largest: int = 64
    ) -> None:
        self._serve = serve
        self._largest = largest
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, argument: A) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((argument, future))
        if self._task is None:
            self._task = asyncio.create_task(self._serve_all())
        return await future

    async def _serve_all(self) -> None:
        try:
            while self._waiting:
                group = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                await self._serve_group(group)
        finally:
            self._task = None
            self._cancel(self._waiting)  # there are some only when the event loop ends

    async def _serve_group(self, group: list[tuple[A, asyncio.Future[R]]]) -> None:
        outcomes: Sequence[R | Exception]
        try:
            outcomes = await self._serve([argument for argument, _ in group])
        except Exception as error:
            outcomes = [error] * len(group)
        except BaseException:
            self._cancel(group)
            raise
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _cancel(self, calls: list[tuple[A, asyncio.Future[R]]]) -> None:
        while calls:
            calls.pop()[1].cancel()
