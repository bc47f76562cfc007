"""The frames of one video, run by several threads and answered in order."""

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore
from typing import Any, TypeAlias

from app.services.video.payload import FramePayload

RECENT = 32
"""How many different frames back a frame is still known again."""
AHEAD = 2
"""How many frames are decoded and wait, beside those that threads are running."""

Numbered: TypeAlias = tuple[int, "Future[Any]"]


class ParallelFrames:
    """Runs frames whose answers depend on their pixels alone.

    `answer` is called from several threads, once for each frame that is not equal to one of the
    last RECENT different ones; that one's answer is shared otherwise. `check` is called before each
    frame, on the thread that iterates over `run`.
    """

    def __init__(
        self, answer: Callable[[FramePayload], Any], check: Callable[[], object], threads: int
    ) -> None:
        self._answer = answer
        self._check = check
        self._threads = threads
        self._recent: OrderedDict[bytes, Future[Any]] = OrderedDict()
        self._room = Semaphore(threads + AHEAD)

    def run(self, payloads: Iterable[FramePayload]) -> Iterator[tuple[int, Any]]:
        """Yield each frame's index and its answer, in order.

        The first error in the order of frames is raised, an error of reading behind those of the
        frames before it; what `check` raises, at once. Every thread has ended by then.
        """
        waiting: deque[Numbered] = deque()
        most = most_unordered(self._threads)
        executor = ThreadPoolExecutor(self._threads, thread_name_prefix="frames")
        try:
            for numbered in self._begin(payloads, executor):
                waiting.append(numbered)
                while waiting and (len(waiting) > most or waiting[0][1].done()):
                    yield _end(waiting.popleft())
            while waiting:
                yield _end(waiting.popleft())
        finally:
            executor.shutdown(cancel_futures=True)

    def _begin(
        self, payloads: Iterable[FramePayload], executor: ThreadPoolExecutor
    ) -> Iterator[Numbered]:
        index = 0
        try:
            for payload in payloads:
                self._check()
                index = payload.frame_index
                yield index, self._shared(payload, executor)
        except Exception as error:
            broken: Future[Any] = Future()
            broken.set_exception(error)
            yield index, broken

    def _shared(self, payload: FramePayload, executor: ThreadPoolExecutor) -> "Future[Any]":
        known = self._recent.get(payload.digest)
        if known is not None:
            self._recent.move_to_end(payload.digest)
            return known
        self._room.acquire()
        future = executor.submit(self._answer, payload)
        future.add_done_callback(lambda _: self._room.release())
        self._recent[payload.digest] = future
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return future


def usable_processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def most_unordered(threads: int) -> int:
    """How many frames may be answered behind one that is not."""
    return 4 * threads + 8


def _end(numbered: Numbered) -> tuple[int, Any]:
    index, future = numbered
    return index, future.result()
