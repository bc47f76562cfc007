"""Pictures of lines that were read before."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Lock
from typing import TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

Crop: TypeAlias = NDArray[np.uint8]
Line: TypeAlias = tuple[str, float]
"""What is written there, and how sure that is: 0 to 1."""
Key: TypeAlias = tuple[tuple[int, ...], bytes]

MOST = 4096
"""How many lines are known, those that were not asked for the longest forgotten first."""


class KnownLines:
    """Lines by their pixels, for several threads: each is read by the first that meets it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lines: OrderedDict[Key, Future[Line]] = OrderedDict()
        self._lock = Lock()

    def read(self, crops: Iterable[Crop], reader: Callable[[Crop], Line]) -> list[Line]:
        """Return what `reader` says of each crop, which is C-contiguous.

        While another thread reads a crop, this one goes on with the next.
        """
        lines = [self._begin(crop, reader) for crop in crops]
        return [line.result() for line in lines]

    def clear(self) -> None:
        with self._lock:
            self._lines.clear()

    def _begin(self, crop: Crop, reader: Callable[[Crop], Line]) -> "Future[Line]":
        line, is_new = self._claim((crop.shape, xxhash.xxh3_128_digest(crop.data)))
        if is_new:
            try:
                line.set_result(reader(crop))
            except BaseException as error:
                line.set_exception(error)
                raise
        return line

    def _claim(self, key: Key) -> tuple["Future[Line]", bool]:
        with self._lock:
            known = self._lines.get(key)
            if known is not None:
                self._lines.move_to_end(key)
                return known, False
            line = self._lines[key] = Future()
            if len(self._lines) > self._most:
                self._lines.popitem(last=False)
            return line, True
