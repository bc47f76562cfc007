"""The tools the other tests trust: processes end, what they printed is told."""

import sys
from pathlib import Path

import pytest

from tests.faults.durability.strace import whole_calls
from tests.support.client import wait_until
from tests.support.server import ServerProcess
from tools.local_server import PROTOCOL, ProcessFailed

_LISTEN = """
import os, signal, socket, subprocess, sys
{before}
print("listening", os.environ.get("FORGESYTE_MAX_FRAMES"), flush=True)
with socket.create_server(("127.0.0.1", int(os.environ["FORGESYTE_PORT"]))):
    while True:
        signal.pause()
"""


def listener(tmp_path: Path, before: str = "") -> ServerProcess:
    """A stand-in that listens as the server does, after running the statement `before`."""
    command = [sys.executable, "-c", _LISTEN.format(before=before)]
    return ServerProcess(tmp_path / "data", command=command)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped by its parent or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_process_and_its_children_are_killed_on_the_way_out(tmp_path: Path) -> None:
    sleeper = "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    with listener(tmp_path, sleeper) as server:
        child = int(server.log().split()[0])
        assert not is_gone(child)
    assert not server.is_running()
    wait_until(lambda: is_gone(child), 10, "The end of the child")


def test_an_early_end_is_reported_with_code_and_log(tmp_path: Path) -> None:
    server = listener(tmp_path, "print('no port for me'); sys.exit(3)")
    with pytest.raises(ProcessFailed, match=r"(?s)code 3.*no port for me"), server:
        pass


def test_a_server_that_never_listens_is_reported_and_killed(tmp_path: Path) -> None:
    server = listener(tmp_path, "print('thinking', flush=True); signal.pause()")
    try:
        server.start()
        wait_until(lambda: "thinking" in server.log(), 30, "The first line")
        with pytest.raises(ProcessFailed, match=r"(?s)not within 0\.1 s.*thinking"):
            server.wait_ready(0.1)
    finally:
        server.kill()
    assert not server.is_running()


def test_stop_kills_what_ignores_it(tmp_path: Path) -> None:
    with listener(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as server:
        with pytest.raises(TimeoutError, match=r"did not end within 0\.1 s"):
            server.stop(0.1)
        assert not server.is_running()


def test_an_error_inside_the_block_carries_the_log(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, listener(tmp_path):
        raise ZeroDivisionError
    assert "listening" in caught.value.__notes__[0]


def test_restart_is_a_new_process_on_the_same_port_with_a_log_of_its_own(tmp_path: Path) -> None:
    with listener(tmp_path) as server:
        before = server.pid, server.base_url
        server.restart()
        assert server.pid != before[0]
        assert server.base_url == before[1]
        assert server.log() == "listening None\n"
        assert server.log_path.read_text() == 2 * "listening None\n"


def test_measurements_follow_the_process(tmp_path: Path) -> None:
    busy = """
import threading
big = b"x" * (64 << 20)
del big
files = [open(os.devnull) for _ in range(50)]
threading.Thread(target=signal.pause, daemon=True).start()
sum(range(3_000_000))
"""
    with listener(tmp_path, busy) as server:
        assert server.threads() == 2
        assert 54 <= server.fds() < 70
        assert 64 << 20 < server.peak_rss() < 128 << 20
        assert 0 < server.rss() < server.peak_rss() - (32 << 20)
        assert 0 < server.cpu_seconds() < 60
        server.kill()
        with pytest.raises((FileNotFoundError, ProcessLookupError)):
            server.rss()


def test_the_command_of_the_server_names_its_loop_and_parser(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", loop="asyncio", http="h11", args=["--no-access-log"])
    address = ["--host", "127.0.0.1", "--port", str(server.port)]
    options = ["--loop", "asyncio", "--http", "h11", "--no-access-log"]
    assert server.command[1:] == ["-m", "uvicorn", "app.main:app", *address, *PROTOCOL, *options]


def test_system_calls_that_were_reported_in_two_halves_are_put_together() -> None:
    lines = [
        "11 fsync(5</a> <unfinished ...>",
        "12 fdatasync(6</b>) = 0",
        "13 fdatasync(7</c> <unfinished ...>",
        "11 <... fsync resumed>) = -1 EIO (Input/output error) (INJECTED)",
        "13 <... fdatasync resumed>) = 0",
    ]
    assert list(whole_calls(lines)) == [
        "12 fdatasync(6</b>) = 0",
        "11 fsync(5</a> ) = -1 EIO (Input/output error) (INJECTED)",
        "13 fdatasync(7</c> ) = 0",
    ]
