"""One stop of the process, whoever asks for it: a signal, or the end of the lifespan."""

import asyncio
import itertools
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from app.workers.exit import EXIT_FAILURE, exit_now
from app.workers.runtime import FRAME_SECONDS, Runtime
from app.workers.waiting import wait_any

logger = logging.getLogger(__name__)


def stop_signals() -> list[signal.Signals]:
    """SIGINT, SIGTERM and, unless the process was started to outlive its terminal, SIGHUP."""
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if outlives else [signal.SIGHUP])]


class Shutdown:
    """`begin` is called at once when a stop is asked for, on the event loop.

    A server ends its lifespan only when every connection has closed, so a stop cannot wait for
    that: it starts with the signal, and when the lifespan has not ended by the time that the
    running job has, the process ends itself. A second signal ends every grace.
    """

    def __init__(self, runtime: Runtime, begin: Callable[[], None] = lambda: None) -> None:
        self._runtime = runtime
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._force = asyncio.Event()
        self._lifespan_over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def wrapping_signal_handlers(self, *, passing_on: bool = True) -> Iterator[None]:
        """Hear of signals before the handlers that are there, which still get the first one if it
        is to be passed on; for SIGHUP, that of SIGTERM. Off the main thread signals are somebody
        else's."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.getsignal(number) for number in stop_signals()}
        # A second signal can come before the loop has heard of the first, even in the middle of
        # this handler, and uvicorn's handler must not see it: it would skip the lifespan's end.
        arrivals = itertools.count()

        def handle(number: int, frame: FrameType | None) -> None:
            first = next(arrivals) == 0 and self._task is None
            # At once: the loop may be busy, and the process killed before it is not.
            with suppress(OSError):
                self._runtime.announce_end()
            self._loop.call_soon_threadsafe(self.on_signal, number)
            known = signal.SIGTERM if number == signal.SIGHUP else signal.Signals(number)
            inner = previous[known]
            if first and passing_on and callable(inner):
                inner(known, frame)

        for number in previous:
            signal.signal(number, handle)
        if any(map(belongs_to_stopping_server, previous.values())):
            self.on_signal(signal.SIGTERM)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def on_signal(self, number: int) -> None:
        if self._task is not None:
            self._force.set()
            return
        logger.info("Stopping on %s", signal.Signals(number).name)
        self._start(exit_code=128 + number)

    async def finish(self) -> None:
        """The lifespan is over: stop what is not stopped yet, and close the database."""
        self._lifespan_over.set()
        if self._task is None:
            self._start(exit_code=None)
        assert self._task is not None
        try:
            await self._task
        finally:
            await self._runtime.close()

    def _start(self, exit_code: int | None) -> None:
        self._announce()
        self._begin()
        self._task = asyncio.create_task(self._stop(exit_code), name="shutdown")
        if exit_code is not None:
            self._task.add_done_callback(exit_if_failed)

    def _announce(self) -> None:
        try:
            self._runtime.announce_end()
        except OSError:
            logger.warning("The next start will not know of this stop", exc_info=True)
        self._loop.run_in_executor(None, self._runtime.flush_announcement)

    async def _stop(self, exit_code: int | None) -> None:
        deadline = self._loop.time() + self._runtime.settings.shutdown_grace_seconds
        ended = await self._runtime.stop_worker(self._force)
        if exit_code is None:
            return
        if ended:
            await wait_any(
                self._lifespan_over, self._force, timeout=max(0, deadline - self._loop.time())
            )
            await wait_any(self._lifespan_over, timeout=FRAME_SECONDS)
            if self._lifespan_over.is_set():
                return
            logger.warning("Ending the process with connections still open")
        with suppress(TimeoutError):
            await asyncio.wait_for(self._runtime.close(), FRAME_SECONDS)
        exit_now(exit_code)


def exit_if_failed(task: asyncio.Task[None]) -> None:
    """A stop that broke would never end: nobody else brings the process down."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("The stop has failed; ending the process", exc_info=error)
        exit_now(EXIT_FAILURE)


def belongs_to_stopping_server(handler: object) -> bool:
    """Whether a handler is a method of uvicorn's server, and has had a signal already: one that
    came while the application was imported."""
    return bool(getattr(getattr(handler, "__self__", None), "should_exit", False))
