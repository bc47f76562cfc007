"""Uploads as they go over the wire, for clients that measure the server or misbehave."""

import os
import select
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

import orjson

from tools.local_server import HOST

BOUNDARY = "a-boundary-that-is-as-long-as-those-of-browsers"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
FTYP = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42"
END = f"\r\n--{BOUNDARY}--\r\n".encode()
_ANSWER_SECONDS = 120
_SEND_BYTES = 64 * 1024


def field(name: str, value: bytes) -> bytes:
    """A part of a form, but for the line end that a further delimiter begins with."""
    header = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return header.encode() + value


def file_part(filename: bytes = b"video.mp4", *, name: str = "file") -> bytes:
    """The beginning of the part that is a file; its content comes next."""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="'.encode()
        + filename
        + b'"\r\nContent-Type: video/mp4\r\n\r\n'
    )


def form(*parts: bytes) -> bytes:
    return b"\r\n".join(parts) + END


def form_before_file(pipeline_id: str = "nothing") -> bytes:
    """All of an ordinary upload that comes before the bytes of the file; END comes after them."""
    return field("pipeline_id", pipeline_id.encode()) + b"\r\n" + file_part()


def request_head(length: int | None, *, content_type: str = CONTENT_TYPE) -> bytes:
    """A submit whose body has so many bytes, or comes in chunks if `length` is None."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    kind = f"Content-Type: {content_type}"
    lines = ["POST /video/submit HTTP/1.1", f"Host: {HOST}", kind, size]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """A piece of a body that comes in chunks; the one without data is the last."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        return str(orjson.loads(self.body)["detail"])

    @property
    def job_id(self) -> str:
        assert self.status == 200, self
        return str(orjson.loads(self.body)["job_id"])


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), _ANSWER_SECONDS)


def read_answer(connection: socket.socket) -> Answer:
    """Wait for the server's answer to what was sent."""
    with HTTPResponse(connection) as response:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def send_until_answered(connection: socket.socket, pieces: Iterable[bytes]) -> tuple[int, Answer]:
    """Send until there is an answer or no more to send; how many bytes went out, and the answer."""
    sent = 0
    with suppress(ConnectionError):  # closed by the server, which has answered before
        for piece in pieces:
            for start in range(0, len(piece), _SEND_BYTES):
                connection.sendall(piece[start : start + _SEND_BYTES])
                sent += len(piece[start : start + _SEND_BYTES])
                if select.select([connection], [], [], 0)[0]:
                    return sent, read_answer(connection)
    return sent, read_answer(connection)


def send(port: int, *pieces: bytes) -> Answer:
    """Send a request over a connection of its own, and read the answer when it comes."""
    with connect(port) as connection:
        return send_until_answered(connection, pieces)[1]


def upload_file(port: int, video: Path, pipeline_id: str = "nothing") -> Answer:
    """Submit a video, sent by the kernel without a copy."""
    before = form_before_file(pipeline_id)
    with connect(port) as connection, video.open("rb") as file:
        connection.sendall(request_head(len(before) + video.stat().st_size + len(END)) + before)
        connection.sendfile(file)
        connection.sendall(END)
        return read_answer(connection)


def write_video(path: Path, size: int) -> Path:
    """A file with the first bytes of an MP4, and others that do not repeat."""
    with path.open("wb") as file:
        file.write(FTYP)
        while left := size - file.tell():
            file.write(os.urandom(min(left, 1024 * 1024)))
    return path


def submit_form(port: int, *parts: bytes) -> Answer:
    body = form(*parts)
    return send(port, request_head(len(body)), body)


@contextmanager
def trickling(port: int, uploads: int) -> Iterator[None]:
    """So many uploads at once, each sent at a byte per second."""
    before = form_before_file()
    over = threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in range(uploads)]
        for connection in connections:
            connection.sendall(request_head(1_000_000) + before + FTYP)

        def trickle() -> None:
            while not over.wait(1):
                for connection in connections:
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
