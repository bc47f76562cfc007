"""One submit: a form with a file in it, sent by a blocking client in a thread.

A server may refuse an upload and close the connection while the upload still comes in. A blocking
socket can read the answer even then; asyncio throws it away together with the broken connection.
"""

import errno
import os
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from select import POLLIN, poll
from typing import Any, BinaryIO

import httpx2

PIECE_BYTES = 256 * 1024
LOOK_UP_MILLISECONDS = 200
"""How often reading a pipe that nothing comes through is interrupted, to see whether to go on."""

CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
"""Events of httpx2 that give a socket; that of TLS takes the place of the one below it."""


class Upload:
    """`observe` is told how many bytes have been sent, and how many there are, 0 if not known: a
    pipe or a device is read to its end.

    It can be sent again until `used_up`: what came through a pipe has been read. `sent_whole`
    becomes true before the last piece goes out: until then nobody can have received a complete
    form, from then on somebody may have.
    """

    def __init__(self, path: Path, pipeline_id: str, observe: Callable[[int, int], None]) -> None:
        self._path = path
        self._pipeline_id = pipeline_id
        self._observe = observe
        self._socket: socket.socket | None = None
        self._abandoned = False
        self._unreadable: OSError | None = None
        self.sent_whole = False
        self.used_up = False

    def send(self, http: httpx2.Client) -> httpx2.Response:
        """The server's answer, whichever it is. `http` has to make a connection for each request.

        Raises:
            httpx2.HTTPError: there is none.
            OSError: the file cannot be read, or has become shorter.
        """
        self.sent_whole = False
        with opened(self._path) as file:
            boundary = secrets.token_hex(16)
            head, tail = form_around_file(boundary, self._pipeline_id)
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            size = size_of(file)
            if size is None:
                pieces = self._read_to_the_end(file)
                # Whoever writes may be slow to begin, and a server does not wait for long.
                pieces = chain([next(pieces, b"")], pieces)
            else:
                pieces = self._read(file, size)
                headers["Content-Length"] = str(len(head) + size + len(tail))
            try:
                return http.post(
                    "/video/submit",
                    content=self._form(head, pieces, size or 0, tail),
                    headers=headers,
                    extensions={"trace": self._keep_socket},
                )
            except (OSError, ValueError) as error:
                if error is self._unreadable:
                    raise
                raise httpx2.TransportError(str(error)) from error

    def abandon(self) -> None:
        """Make `send` end soon, from another thread, whatever it is waiting for."""
        self._abandoned = True
        if self._socket is not None:
            with suppress(OSError):  # not connected any more
                self._socket.shutdown(socket.SHUT_RDWR)

    def _form(
        self, head: bytes, pieces: Iterator[bytes], size: int, tail: bytes
    ) -> Iterator[bytes]:
        yield head
        sent = 0
        try:
            for piece in pieces:
                yield piece
                sent += len(piece)
                self._observe(sent, size)
        except OSError as error:
            self._unreadable = error
            raise
        self.sent_whole = True
        yield tail

    def _read(self, file: BinaryIO, size: int) -> Iterator[bytes]:
        left = size
        while piece := file.read(min(PIECE_BYTES, left)):
            self._check()
            yield piece
            left -= len(piece)
        if left:
            raise OSError(f"{self._path.name} became shorter while it was uploaded.")

    def _read_to_the_end(self, file: BinaryIO) -> Iterator[bytes]:
        coming = poll()
        coming.register(file, POLLIN)
        while True:
            self._check()
            if not coming.poll(LOOK_UP_MILLISECONDS):
                continue
            self.used_up = True
            if not (piece := os.read(file.fileno(), PIECE_BYTES)):
                return
            yield piece

    def _check(self) -> None:
        if self._abandoned:
            raise httpx2.WriteError("The upload was abandoned.")

    def _keep_socket(self, event: str, details: dict[str, Any]) -> None:
        if event in CONNECTED:
            self._socket = details["return_value"].get_extra_info("socket")


def opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except ValueError as error:  # it has a null byte, or no encoding
        raise OSError(errno.EINVAL, f"This cannot be a file's name: {error}", str(path)) from error
    except OSError as error:
        if error.errno != errno.ENXIO or path != Path("/dev/stdin"):
            raise
        return os.fdopen(os.dup(0), "rb")  # a socket, which Linux does not open by its name


def size_of(file: BinaryIO) -> int | None:
    """None if only reading it to the end can tell."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def form_around_file(boundary: str, pipeline_id: str) -> tuple[bytes, bytes]:
    """What comes before and after the file in a body of multipart/form-data (RFC 7578)."""
    field = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = (
        f'{field}"pipeline_id"\r\n\r\n{pipeline_id}\r\n'
        f'{field}"file"; filename="video.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()
