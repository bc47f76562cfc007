"""One submit: a form with a file in it, sent by a blocking client in a thread.

A server may refuse an upload and close the connection while the upload still comes in. A blocking
socket can read the answer even then; asyncio throws it away together with the broken connection.
"""

import errno
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

PIECE_BYTES = 256 * 1024

CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
"""Events of httpx2 that give a socket; that of TLS takes the place of the one below it."""


class Upload:
    """`observe` is told how many bytes of the file have been sent, and how many there are.

    `sent_whole` becomes true before the last piece goes out: until then nobody can have received a
    complete form, from then on somebody may have.
    """

    def __init__(self, path: Path, pipeline_id: str, observe: Callable[[int, int], None]) -> None:
        self._path = path
        self._pipeline_id = pipeline_id
        self._observe = observe
        self._socket: socket.socket | None = None
        self._abandoned = False
        self.sent_whole = False

    def send(self, http: httpx2.Client) -> httpx2.Response:
        """The server's answer, whichever it is. `http` has to make a connection for each request.

        Raises:
            httpx2.HTTPError: there is none.
            OSError: the file cannot be read, or has become shorter.
        """
        with opened(self._path) as file:
            size = os.fstat(file.fileno()).st_size
            boundary = secrets.token_hex(16)
            head, tail = form_around_file(boundary, self._pipeline_id)
            headers = {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(head) + size + len(tail)),
            }
            return http.post(
                "/video/submit",
                content=self._pieces(head, file, size, tail),
                headers=headers,
                extensions={"trace": self._keep_socket},
            )

    def abandon(self) -> None:
        """Make `send` end soon, from another thread, whatever it is waiting for."""
        self._abandoned = True
        if self._socket is not None:
            with suppress(OSError):  # not connected any more
                self._socket.shutdown(socket.SHUT_RDWR)

    def _pieces(self, head: bytes, file: BinaryIO, size: int, tail: bytes) -> Iterator[bytes]:
        yield head
        sent = 0
        while piece := file.read(min(PIECE_BYTES, size - sent)):
            if self._abandoned:
                raise httpx2.WriteError("The upload was abandoned.")
            yield piece
            sent += len(piece)
            self._observe(sent, size)
        if sent < size:
            raise OSError(f"{self._path.name} became shorter while it was uploaded.")
        self.sent_whole = True
        yield tail

    def _keep_socket(self, event: str, details: dict[str, Any]) -> None:
        if event in CONNECTED:
            self._socket = details["return_value"].get_extra_info("socket")


def opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except ValueError as error:  # it has a null byte, or no encoding
        raise OSError(errno.EINVAL, f"This cannot be a file's name: {error}", str(path)) from error


def form_around_file(boundary: str, pipeline_id: str) -> tuple[bytes, bytes]:
    """What comes before and after the file in a body of multipart/form-data (RFC 7578)."""
    field = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = (
        f'{field}"pipeline_id"\r\n\r\n{pipeline_id}\r\n'
        f'{field}"file"; filename="video.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()
