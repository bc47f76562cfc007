"""Bodies that go past the parser, partly by way of a thread: not a byte of them gets lost, and none
of what comes before and after them on their connection."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from tests.faults.uploads.stored import files, lasting_files
from tests.support.client import wait_until
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.uploads import (
    END,
    FTYP,
    Answer,
    chunk,
    connect,
    field,
    file_part,
    form,
    form_before_file,
    read_answer,
    request_head,
    send,
)

MIB = 1024 * 1024
STATUS = b"GET /video/status/x HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = STATUS.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    loop: Literal["asyncio", "uvloop"] = request.param
    with ServerProcess(
        tmp_path_factory.mktemp("server") / "data", plugins=[READY], loop=loop
    ) as server:
        yield server


def video(size: int) -> bytes:
    """The first bytes of an MP4, and others among which a delimiter seems to begin."""
    delimiter = END.removesuffix(b"--\r\n")
    content = FTYP
    while len(content) < size:
        content += os.urandom(100_000) + delimiter[: len(content) % len(delimiter)] + b"\r"
    return content[:size]


def request(content: bytes) -> bytes:
    body = form_before_file() + content + END
    return request_head(len(body)) + body


def stored(server: ServerProcess, answer: Answer) -> bytes:
    return read_video(server, answer.job_id)


def read_video(server: ServerProcess, job_id: str) -> bytes:
    return (server.data_dir / f"video_jobs/{job_id}.mp4").read_bytes()


@pytest.mark.parametrize("size", [256 * 1024, MIB + 1, 4 * MIB, 4 * MIB + 4095, 20 * MIB])
def test_arrives_as_it_was_sent(server: ServerProcess, size: int) -> None:
    content = video(size)
    assert stored(server, send(server.port, request(content))) == content


@pytest.mark.parametrize("pause", [0.0005, 0.003, 0.02])
def test_arrives_from_a_client_that_pauses(server: ServerProcess, pause: float) -> None:
    content = video(8 * MIB)
    data = request(content)
    with connect(server.port) as connection:
        for number, start in enumerate(range(0, len(data), 300_000)):
            if number % 3 == 0:
                time.sleep(pause)
            connection.sendall(data[start : start + 300_000])
        assert stored(server, read_answer(connection)) == content


def test_many_at_once_are_kept_apart(server: ServerProcess) -> None:
    contents = [video(6 * MIB + number) for number in range(20)]
    with ThreadPoolExecutor(len(contents)) as threads:
        answers = threads.map(lambda content: send(server.port, request(content)), contents)
        for content, answer in zip(contents, answers, strict=True):
            assert stored(server, answer) == content


def test_fields_may_come_after_the_file(server: ServerProcess) -> None:
    content = video(5 * MIB)
    body = form(file_part() + content, field("pipeline_id", b"nothing"))
    assert stored(server, send(server.port, request_head(len(body)), body)) == content


def test_in_chunks(server: ServerProcess) -> None:
    content = video(3 * MIB)
    pieces = [form_before_file(), content[:100], content[100:], END, b""]
    assert stored(server, send(server.port, request_head(None), *map(chunk, pieces))) == content


def exchange(server: ServerProcess, data: bytes) -> tuple[list[str], list[str]]:
    """What comes back over one connection by the end: statuses, and ids of jobs."""
    with connect(server.port) as connection, ThreadPoolExecutor(1) as thread:
        sending = thread.submit(connection.sendall, data + LAST)
        answers = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        sending.result()
    return re.findall(r"HTTP/1.1 (\d+)", answers), re.findall(r'"job_id":"(.*?)"', answers)


def test_requests_follow_each_other_on_a_connection(server: ServerProcess) -> None:
    contents = [video(2 * MIB), video(300_000), video(1000), video(9 * MIB)]
    data = b"".join(STATUS + request(content) for content in contents)
    statuses, job_ids = exchange(server, data)
    assert statuses == ["422", "200"] * len(contents) + ["422"]
    assert [read_video(server, job_id) for job_id in job_ids] == contents


def test_a_body_that_nobody_reads_is_passed_over(server: ServerProcess) -> None:
    head = request_head(3 * MIB).replace(b"/video/submit", b"/nowhere")
    assert exchange(server, head + bytes(3 * MIB)) == (["404", "422"], [])


def test_a_body_that_comes_after_its_answer_keeps_no_connection_open(tmp_path: Path) -> None:
    head = request_head(MIB).replace(b"/video/submit", b"/nowhere")
    args = ["--timeout-keep-alive", "1"]
    with ServerProcess(tmp_path / "data", args=args) as server, connect(server.port) as connection:
        connection.sendall(head + bytes(1000))
        assert read_answer(connection).status == 404
        connection.sendall(bytes(MIB - 1000))
        connection.settimeout(4 * 1)
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("late", "detail"),
    [
        (file_part() + FTYP, "The form has more than one file"),
        (file_part() + FTYP + bytes(64 * MIB), "The form has more than one file"),
        (field("other", bytes(100_000)), "The form holds too much besides the file."),
        (field("other", bytes(10 * MIB)), "The form holds too much besides the file."),
    ],
)
def test_what_is_wrong_late_is_answered(server: ServerProcess, late: bytes, detail: str) -> None:
    before = lasting_files(server.data_dir)
    body = form(file_part() + video(9 * MIB), late)
    answer = send(server.port, request_head(len(body)), body)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.detail.startswith(detail)
    wait_until(lambda: files(server.data_dir) == before, 10, "The end of what was uploaded")


def test_a_client_that_is_gone_leaves_nothing(server: ServerProcess) -> None:
    before, descriptors = lasting_files(server.data_dir), server.fds()
    data = request(video(30 * MIB))
    for share in (0.1, 0.3, 0.6, 0.9):
        with connect(server.port) as connection:
            connection.sendall(data[: int(share * len(data))])
            if share > 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: files(server.data_dir) == before, 10, "The end of what was uploaded")
    wait_until(lambda: server.fds() <= descriptors, 10, "The descriptors' return")


def test_a_stop_ends_it_at_once(tmp_path: Path) -> None:
    data = request(video(64 * MIB))
    with (
        ServerProcess(tmp_path / "data", plugins=[READY]) as server,
        connect(server.port) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        connection.sendall(data[: 32 * MIB])

        def send_the_rest() -> None:
            with suppress(ConnectionError):
                for start in range(32 * MIB, len(data), MIB):
                    time.sleep(0.02)
                    connection.sendall(data[start : start + MIB])

        sending = thread.submit(send_the_rest)
        server.signal(signal.SIGTERM)
        assert read_answer(connection).status == 503
        server.wait(10)
        sending.result()
        assert not any(".incoming" in path for path in files(server.data_dir))
