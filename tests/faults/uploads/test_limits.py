"""An upload that is too large ends before the disk is full of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.faults.uploads.conftest import LIMIT
from tests.support.client import wait_until
from tests.support.server import ServerProcess
from tests.support.uploads import (
    END,
    FTYP,
    Answer,
    chunk,
    connect,
    form_before_file,
    request_head,
    send,
    send_until_answered,
)

MIB = 1024 * 1024
BEFORE = form_before_file()
ZEROS = bytes(64 * 1024)


def announced(size: int) -> bytes:
    """The head of an upload of `size` bytes of file."""
    return request_head(len(BEFORE) + size + len(END))


def video(size: int) -> bytes:
    return FTYP + bytes(size - len(FTYP))


def size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # since it was listed
        return 0


@contextmanager
def watch_largest(server: ServerProcess) -> Iterator[list[int]]:
    """The most bytes of uploads in flight that were on disk; looks again and again."""
    folder = server.data_dir / "video_jobs" / ".incoming"
    largest = [0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.001):
            largest[0] = max(largest[0], sum(map(size_of, folder.iterdir())))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield largest
    finally:
        over.set()
        thread.join()


def assert_too_large(answer: Answer) -> None:
    assert answer.status == 413
    assert answer.detail == f"The file is larger than the {LIMIT} bytes allowed."


def test_exactly_the_limit_passes(server: ServerProcess) -> None:
    answer = send(server.port, announced(LIMIT), BEFORE, video(LIMIT), END)
    stored = server.data_dir / "video_jobs" / f"{answer.job_id}.mp4"
    assert stored.read_bytes() == video(LIMIT)


@pytest.mark.usefixtures("nothing_is_left")
def test_one_byte_more_is_refused(server: ServerProcess) -> None:
    assert_too_large(send(server.port, announced(LIMIT + 1), BEFORE, video(LIMIT + 1), END))


@pytest.mark.usefixtures("nothing_is_left")
def test_what_is_announced_too_large_is_refused_unread(server: ServerProcess) -> None:
    answer = send(server.port, announced(2 * LIMIT))
    assert_too_large(answer)
    assert answer.headers["connection"] == "close"


@pytest.mark.usefixtures("nothing_is_left")
def test_unannounced_it_is_refused_when_the_limit_is_passed(server: ServerProcess) -> None:
    with watch_largest(server) as largest, connect(server.port) as connection:

        def body() -> Iterator[bytes]:
            yield request_head(None) + chunk(BEFORE + video(LIMIT - MIB))
            wait_until(lambda: largest[0] > 0, 10, "The first bytes on disk")
            yield from repeat(chunk(ZEROS), 100 * MIB // len(ZEROS))

        sent, answer = send_until_answered(connection, body())
    assert_too_large(answer)
    assert answer.headers["connection"] == "close"
    assert sent <= LIMIT + 8 * MIB
    assert largest[0] <= LIMIT


@pytest.mark.usefixtures("nothing_is_left")
def test_more_than_was_announced_is_no_request(server: ServerProcess) -> None:
    with connect(server.port) as connection:
        _, answer = send_until_answered(connection, [announced(MIB), BEFORE, video(2 * MIB), END])
    assert answer.status == 400


@pytest.mark.usefixtures("nothing_is_left")
def test_large_wrong_file_is_refused_by_its_first_bytes(server: ServerProcess) -> None:
    zeros = repeat(chunk(ZEROS), 512 * MIB // len(ZEROS))
    wrong = chain([request_head(None), chunk(BEFORE)], zeros)
    with watch_largest(server) as largest, connect(server.port) as connection:
        sent, answer = send_until_answered(connection, wrong)
    assert answer.status == 400
    assert "does not begin with an ftyp box" in answer.detail
    assert answer.headers["connection"] == "close"
    assert sent <= 8 * MIB
    assert largest[0] == 0
