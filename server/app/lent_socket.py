"""Reading the body of a request in a thread."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

LEND_SOCKET = "forgesyte.lend_socket"
"""The key among the extensions of an ASGI scope of a function that lends the request's socket to
a thread, or answers None when there is no large body that could be read from it now."""

PATIENCE_SECONDS = 0.005


class LentSocket:
    """A socket with `left` bytes of a body still to come, for a thread to read while the event
    loop does not; `give_back` is told in the end how many are left then. Whom it is lent to closes
    it. `is_quick` is False when it is of no use to read on at once."""

    def __init__(
        self, connection: socket.socket, left: int, give_back: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._left = left
        self._give_back = give_back
        self._reading = threading.Lock()
        self._returned = False
        self.is_quick = True
        connection.settimeout(PATIENCE_SECONDS)

    def close(self) -> None:
        """Give the socket back."""
        with self._reading:  # a thread whose caller was cancelled may still be at it
            self._returned = True
            self._connection.close()
        self._give_back(self._left)

    def read_into(self, memory: memoryview, until: float) -> int:
        """Fill the memory, but not beyond the body's end, for as long as something comes quickly,
        and up to that time of `time.monotonic`; how much of it is filled. Blocks."""
        filled = 0
        while filled < len(memory) and time.monotonic() < until:
            if not (count := self._read(memory[filled:])):
                break
            filled += count
        return filled

    def _read(self, memory: memoryview) -> int:
        with self._reading:
            if self._returned:
                return 0
            count = 0
            with suppress(OSError):  # nothing comes, or the connection is broken; the loop will see
                count = self._connection.recv_into(memory[: self._left])
            self._left -= count
            self.is_quick = count > 0 and self._left > 0
            return count
