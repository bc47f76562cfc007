"""Reading the body of a request in a thread."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

LEND_SOCKET = "forgesyte.lend_socket"
"""The key among the extensions of an ASGI scope of a function that lends the request's socket to
a thread, or answers None when there is no large body that could be read from it now."""

PIECE_BYTES = 512 * 1024
PATIENCE_SECONDS = 0.001
TURN_SECONDS = 0.05


class LentSocket:
    """A socket with `left` bytes of a body still to come, to be read by one thread.

    The event loop does not read from it meanwhile. `give_back` is called in the end, with what is
    left then, or None when the thread has not come to its end, because its caller was cancelled.
    """

    def __init__(
        self, connection: socket.socket, left: int, give_back: Callable[[int | None], None]
    ) -> None:
        self._connection = connection
        self._left = left
        self._give_back = give_back
        self._reading = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reading.acquire(blocking=False):
            self._connection.close()
            self._give_back(self._left)
        else:
            self._give_back(None)

    def pieces(self) -> Iterator[bytes]:
        """What comes of the body, for as long as it comes quickly, but not long. Blocks."""
        if not self._reading.acquire(blocking=False):
            return
        with self._connection:
            yield from self._read()
        self._reading.release()

    def _read(self) -> Iterator[bytes]:
        self._connection.settimeout(PATIENCE_SECONDS)
        until = time.monotonic() + TURN_SECONDS
        while self._left and time.monotonic() < until:
            try:
                piece = self._connection.recv(min(PIECE_BYTES, self._left))
            except OSError:  # nothing comes, or the connection is broken, as the loop will see
                return
            if not piece:
                return
            self._left -= len(piece)
            yield piece
