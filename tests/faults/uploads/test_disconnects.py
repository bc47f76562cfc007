"""Clients that go away, or silent, in the middle of an upload."""

import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.uploads.conftest import IDLE_SECONDS, LIMIT
from tests.faults.uploads.stored import files, lasting_files
from tests.support.client import submit, wait_until
from tests.support.server import ServerProcess
from tests.support.uploads import END, FTYP, connect, form_before_file, read_answer, request_head

BODY = form_before_file() + FTYP + bytes(LIMIT // 2) + END
TIMES, AT_ONCE = 20, 5
SHARES = pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])


def send_share(connection: socket.socket, share: float) -> None:
    connection.sendall(request_head(len(BODY)) + BODY[: int(share * len(BODY))])


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1024):
        pass


@SHARES
@pytest.mark.parametrize("leave", [close, reset, half_close])
def test_a_client_that_leaves_takes_everything_with_it(
    server: ServerProcess, leave: Callable[[socket.socket], None], share: float
) -> None:
    def upload_in_part(_: int) -> None:
        with connect(server.port) as connection:
            send_share(connection, share)
            leave(connection)

    before, descriptors = lasting_files(server.data_dir), server.fds()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(upload_in_part, range(TIMES)))
    wait_until(lambda: server.fds() <= descriptors, 10, "The descriptors' return")
    wait_until(lambda: files(server.data_dir) == before, 10, "The end of what was uploaded")
    assert "ERROR" not in server.log()
    submit(server.base_url, FTYP, "nothing")


@SHARES
@pytest.mark.usefixtures("nothing_is_left")
def test_silence_ends_an_upload(server: ServerProcess, share: float) -> None:
    with connect(server.port) as connection:
        send_share(connection, share)
        answer = read_answer(connection)
    assert answer.status == 408
    assert answer.detail == f"The upload sent nothing for {IDLE_SECONDS} seconds."
    assert answer.headers["connection"] == "close"
