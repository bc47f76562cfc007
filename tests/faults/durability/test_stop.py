"""Stopping: in time, whatever is going on, and nothing is lost or started by it.

Each case is run at once against a server for each event loop, each HTTP parser and each signal.
Bounds are four times those that hold on a machine of one's own.
"""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from app.services.job_starts import Starts
from tests.faults.durability.conftest import MakeClip
from tests.faults.durability.rows import (
    VIDEOS,
    check_files,
    files,
    read_results,
    read_rows,
    wait_until_idle,
)
from tests.support.client import submit, wait_for, wait_until
from tests.support.pipelines import READY, read_events
from tests.support.server import ServerProcess

SLACK = 4
HURRIED = {signal.SIGTERM: 143, signal.SIGINT: 130}
"""The exit codes of a process that had to leave something behind."""
ORDERLY = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 0}
"""Those of uvicorn, when everything has come to an end."""
PUT_BACK = ("pending", str(Starts(started=1)))
"""A job that was started once: nobody holds the stop against it."""


class Stack(NamedTuple):
    loop: Literal["asyncio", "uvloop"]
    http: Literal["h11"] | None
    signal: signal.Signals


STACKS = [
    Stack("asyncio", "h11", signal.SIGTERM),
    Stack("asyncio", None, signal.SIGINT),
    Stack("uvloop", "h11", signal.SIGINT),
    Stack("uvloop", None, signal.SIGTERM),
]


class Stoppable:
    """A server whose jobs sleep in every frame."""

    def __init__(self, server: ServerProcess, stack: Stack, events: Path) -> None:
        self.server = server
        self.stack = stack
        self._events = events
        self._signalled = 0.0

    def submit(self, video: bytes) -> str:
        return submit(self.server.base_url, video, "sleep")

    def frames_begun(self) -> list[int]:
        return [event.frame_index for event in read_events(self._events) if event.event == "began"]

    def wait_for_frame(self) -> None:
        wait_until(lambda: bool(self.frames_begun()), 60, "The first frame")

    def ask_to_stop(self) -> None:
        self._signalled = time.monotonic()
        self.server.signal(self.stack.signal)

    def wait_until_stopping(self) -> None:
        wait_until(lambda: "Stopping on" in self.server.log(), 30, "The signal's arrival")

    def ends_within(self, seconds: float, codes: dict[signal.Signals, int]) -> None:
        code = self.server.wait(60)
        took = time.monotonic() - self._signalled
        assert took <= SLACK * seconds, f"{self.stack} took {took:.1f} s. {self.server.log()}"
        assert code == codes[self.stack.signal], f"{self.stack}: {code}. {self.server.log()}"
        assert "Traceback" not in self.server.log()

    def restart_without_sleep(self) -> None:
        self.server.env["PIPELINE_SLEEP_SECONDS"] = "0"
        self.server.restart()


@pytest.fixture
def on_every_stack(tmp_path: Path) -> Callable[..., None]:
    """Run a case on all stacks at once; `frame` is how long a frame sleeps, in seconds."""

    def run_on(stack: Stack, case: Callable[[Stoppable], None], grace: float, frame: float) -> None:
        folder = tmp_path / "-".join(map(str, stack))
        folder.mkdir()
        server = ServerProcess(
            folder / "data",
            plugins=[READY],
            loop=stack.loop,
            http=stack.http,
            env={
                "FORGESYTE_SHUTDOWN_GRACE_SECONDS": str(grace),
                "PIPELINE_SLEEP_SECONDS": str(frame),
                "PIPELINE_LOG": str(folder / "events"),
            },
        )
        with server:
            case(Stoppable(server, stack, folder / "events"))

    def run(case: Callable[[Stoppable], None], *, grace: float, frame: float = 0.1) -> None:
        with ThreadPoolExecutor(len(STACKS)) as pool:
            runs = [pool.submit(run_on, stack, case, grace, frame) for stack in STACKS]
        for done in runs:
            done.result()

    return run


MORE_THAN_IS_HELD = 1024 * 1024
"""In memory, of an upload that has not been written yet."""


@contextmanager
def upload_in_flight(server: ServerProcess, video: bytes) -> Iterator[socket.socket]:
    """A connection on which the most part of an upload has been sent, and taken in."""
    head = (
        "POST /video/submit HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(video) + 3_000_000_000}\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head.encode() + video + bytes(MORE_THAN_IS_HELD))
        incoming = server.data_dir / VIDEOS / ".incoming"
        wait_until(lambda: any(incoming.iterdir()), 30, "The upload's first bytes on disk")
        yield connection


def read_status_code(connection: socket.socket) -> int:
    return int(connection.makefile("rb").readline().split()[1])


def test_idle(on_every_stack: Callable[..., None]) -> None:
    def case(it: Stoppable) -> None:
        with socket.create_connection(("127.0.0.1", it.server.port)):
            it.ask_to_stop()
            it.ends_within(2, ORDERLY)

    on_every_stack(case, grace=60)


def test_running_job_comes_to_its_end_within_the_grace(
    on_every_stack: Callable[..., None], make_clip: MakeClip
) -> None:
    def case(it: Stoppable) -> None:
        job_id = it.submit(make_clip(30))
        it.wait_for_frame()
        it.ask_to_stop()
        it.ends_within(4, ORDERLY)
        row = read_rows(it.server.data_dir)[job_id]
        assert len(read_results(it.server.data_dir, row)) == 30

    on_every_stack(case, grace=30)


def test_job_is_interrupted_between_frames_after_the_grace_and_the_queued_wait(
    on_every_stack: Callable[..., None], make_clip: MakeClip
) -> None:
    def case(it: Stoppable) -> None:
        long = it.submit(make_clip(600))
        queued = [it.submit(make_clip(1)) for _ in range(5)]
        it.wait_for_frame()
        it.ask_to_stop()
        it.ends_within(4, ORDERLY)
        rows = read_rows(it.server.data_dir)
        assert [*rows] == [long, *queued]
        notes = {job_id: (row.status, row.error_message) for job_id, row in rows.items()}
        assert notes == {long: PUT_BACK, **dict.fromkeys(queued, ("pending", None))}
        assert it.frames_begun() == [*range(len(it.frames_begun()))], "a job started"
        check_files(it.server.data_dir, rows)

        it.restart_without_sleep()
        rows = wait_until_idle(it.server.data_dir)
        assert {row.status for row in rows.values()} == {"completed"}
        assert len(read_results(it.server.data_dir, rows[long])) == 600

    on_every_stack(case, grace=2)


def test_stuck_frame_is_abandoned(on_every_stack: Callable[..., None], clip: bytes) -> None:
    def case(it: Stoppable) -> None:
        job_id = it.submit(clip)
        it.wait_for_frame()
        it.ask_to_stop()
        it.ends_within(5, HURRIED)
        row = read_rows(it.server.data_dir)[job_id]
        assert (row.status, row.error_message) == PUT_BACK

        it.restart_without_sleep()
        assert wait_until_idle(it.server.data_dir)[job_id].status == "completed"

    on_every_stack(case, grace=2, frame=120)


@pytest.mark.parametrize("frames", [1, 2])
def test_frame_that_returns_as_it_is_abandoned_does_no_harm(
    frames: int, on_every_stack: Callable[..., None], make_clip: MakeClip
) -> None:
    """Interrupted after 0.5 s and given up 1 s later: just when the frame ends."""

    def case(it: Stoppable) -> None:
        job_id = it.submit(make_clip(frames))
        it.wait_for_frame()
        it.ask_to_stop()
        code = it.server.wait(60)
        assert code in (ORDERLY[it.stack.signal], HURRIED[it.stack.signal]), it.server.log()
        assert "Traceback" not in it.server.log()
        row = read_rows(it.server.data_dir)[job_id]
        assert (row.status, row.error_message) in (PUT_BACK, ("completed", None))

    on_every_stack(case, grace=0.5, frame=1.5)


def test_second_signal_ends_the_grace(
    on_every_stack: Callable[..., None], make_clip: MakeClip
) -> None:
    def case(it: Stoppable) -> None:
        job_id = it.submit(make_clip(600))
        it.wait_for_frame()
        it.ask_to_stop()
        wait_until(lambda: "application shutdown" in it.server.log(), 30, "The lifespan's end")
        it.ask_to_stop()
        it.ends_within(2, ORDERLY)
        row = read_rows(it.server.data_dir)[job_id]
        assert (row.status, row.error_message) == PUT_BACK

    on_every_stack(case, grace=60)


def test_second_signal_leaves_a_stuck_frame(
    on_every_stack: Callable[..., None], clip: bytes
) -> None:
    def case(it: Stoppable) -> None:
        job_id = it.submit(clip)
        it.wait_for_frame()
        it.ask_to_stop()
        it.wait_until_stopping()
        it.ask_to_stop()
        it.ends_within(2, HURRIED)
        row = read_rows(it.server.data_dir)[job_id]
        assert (row.status, row.error_message) == PUT_BACK

    on_every_stack(case, grace=60, frame=120)


def test_upload_in_flight_is_refused_and_leaves_nothing(
    on_every_stack: Callable[..., None], long_clip: bytes
) -> None:
    def case(it: Stoppable) -> None:
        with upload_in_flight(it.server, long_clip) as connection:
            it.ask_to_stop()
            assert read_status_code(connection) == 503
        it.ends_within(2, ORDERLY)
        assert read_rows(it.server.data_dir) == {}
        assert files(it.server.data_dir) == set()

    on_every_stack(case, grace=60)


def test_upload_that_pours_in_is_refused_and_leaves_nothing(
    on_every_stack: Callable[..., None], long_clip: bytes
) -> None:
    def case(it: Stoppable) -> None:
        with upload_in_flight(it.server, long_clip) as connection:
            pouring = threading.Thread(target=pour, args=[connection])
            pouring.start()
            it.ask_to_stop()
            assert read_status_code(connection) == 503
            pouring.join(60)
            assert not pouring.is_alive()
        it.ends_within(2, ORDERLY)
        assert read_rows(it.server.data_dir) == {}
        assert files(it.server.data_dir) == set()

    on_every_stack(case, grace=60)


def pour(connection: socket.socket) -> None:
    """Send as fast as it goes, until the other end has had enough."""
    try:
        while True:
            connection.sendall(bytes(1 << 16))
    except OSError:
        return


def test_slow_reader_of_results_is_left_after_the_grace(
    on_every_stack: Callable[..., None], make_clip: MakeClip
) -> None:
    def case(it: Stoppable) -> None:
        job_id = it.submit(make_clip(1))
        wait_for(it.server.base_url, job_id, 60)
        results = it.server.data_dir / VIDEOS / f"{job_id}_results.json"
        with results.open("ab") as file:
            file.write(b" " * 30_000_000)
        with socket.create_connection(("127.0.0.1", it.server.port), timeout=60) as connection:
            request = f"GET /video/results/{job_id} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(request.encode())
            assert read_status_code(connection) == 200
            it.ask_to_stop()
            it.ends_within(4, HURRIED)
        assert read_rows(it.server.data_dir)[job_id].status == "completed"

    on_every_stack(case, grace=2, frame=0)


def test_signal_while_starting_starts_no_job(
    on_every_stack: Callable[..., None], make_clip: MakeClip
) -> None:
    def case(it: Stoppable) -> None:
        job_id = it.submit(make_clip(600))
        it.wait_for_frame()
        it.server.kill()
        frames = len(it.frames_begun())
        it.server.start()
        wait_until(lambda: "Waiting for application startup" in it.server.log(), 60, "The start")
        it.ask_to_stop()
        it.ends_within(4, ORDERLY)
        assert len(it.frames_begun()) == frames
        row = read_rows(it.server.data_dir)[job_id]
        assert row.status in ("pending", "running")

    on_every_stack(case, grace=60, frame=0.1)
