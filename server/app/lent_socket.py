"""Reading the body of a request in a thread."""

import socket
import threading
import time
from collections.abc import Callable

LEND_SOCKET = "forgesyte.lend_socket"
"""The key among the extensions of an ASGI scope of a function that lends the request's socket to
a thread, or answers None when there is no large body that could be read from it now."""

PATIENCE_SECONDS = 0.005
TURN_SECONDS = 0.02


class LentSocket:
    """A socket with `left` bytes of a body still to come, for a thread to read while the event
    loop does not; `give_back` is told in the end how many are left then. Whom it is lent to closes
    it."""

    def __init__(
        self, connection: socket.socket, left: int, give_back: Callable[[int], None]
    ) -> None:
        self._connection = connection
        self._left = left
        self._give_back = give_back
        self._reading = threading.Lock()
        self._returned = False
        self._until = 0.0
        connection.settimeout(PATIENCE_SECONDS)

    def close(self) -> None:
        """Give the socket back."""
        with self._reading:  # a thread whose caller was cancelled may still be at it
            self._returned = True
            self._connection.close()
        self._give_back(self._left)

    def read_into(self, memory: memoryview) -> int:
        """Fill the memory, but not beyond the body's end, for as long as something comes quickly;
        how much of it is filled. Blocks."""
        self._until = self._until or time.monotonic() + TURN_SECONDS
        filled = 0
        while time.monotonic() < self._until and (count := self._read(memory[filled:])):
            filled += count
        return filled

    def _read(self, memory: memoryview) -> int:
        with self._reading:
            if self._returned:
                return 0
            try:
                count = self._connection.recv_into(memory[: self._left])
            except OSError:  # nothing comes, or the connection is broken, as the loop will see
                return 0
            self._left -= count
            return count
