"""Run the application as a process of its own, on this machine, and be sure that it ends."""

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
PROTOCOL = ("--http", "app.http_protocol:HttpProtocol", "--timeout-keep-alive", "75")
"""What makes a bare uvicorn speak HTTP as `forgesyte serve` does."""

_POLL_SECONDS = 0.02
_KILL_SECONDS = 30
_LOG_CHARACTERS = 8000


class ProcessFailed(Exception):
    """The process ended, or did not get ready, when it should have been running."""


def wait_until(predicate: Callable[[], bool], timeout: float, message: str) -> None:
    """Ask `predicate` again and again until it is true; after `timeout` seconds, TimeoutError."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{message}: not within {timeout:g} s")
        time.sleep(_POLL_SECONDS)


def free_port() -> int:
    """A port nobody listens on, outside the range from which clients get theirs.

    Connecting to an unused port within that range can connect a socket to itself, and so take
    the port away from the server that is about to listen there.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as candidate:
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ProcessFailed("No free port was found between 20000 and 32000.")


class AppProcess:
    """A command run on a data directory of its own, as the leader of its own process group.

    No FORGESYTE_* setting is inherited; `env` is added last. What it prints goes to a file of its
    own beside the data directory. As a context manager it is started on the way in, and on the
    way out the whole group is killed; an error on its way out is given the log as a note.
    """

    def __init__(
        self,
        command: Sequence[str],
        data_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.command = [*command]
        self.data_dir = data_dir
        self.cwd = cwd
        self.env = _without_settings(os.environ) | {"FORGESYTE_DATA_DIR": str(data_dir)}
        self.env.update(env or {})
        self.log_path = data_dir.with_name(f"{data_dir.name}-{secrets.token_hex(4)}.log")
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._group_may_live = False

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(self._what_it_printed())

    @property
    def pid(self) -> int:
        """The id of the process started last, which leads its group."""
        return self._started().pid

    def start(self) -> None:
        """Start the process, without waiting for anything."""
        if self.is_running():
            raise ProcessFailed(f"Process {self.pid} is still running.")
        self.kill()
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )
        self._group_may_live = True

    def wait_ready(self, timeout: float = 60) -> None:
        """Return once the process does its work; ProcessFailed, with the log, if it does not."""

    def is_running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float) -> int:
        """The exit code (minus the signal, if one ended it); TimeoutError if it goes on."""
        try:
            return self._started().wait(timeout)
        except subprocess.TimeoutExpired:
            message = f"The process did not end within {timeout:g} s. {self._what_it_printed()}"
            raise TimeoutError(message) from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; nothing happens if it has ended."""
        self._started().send_signal(number)

    def stop(self, timeout: float = 30) -> int:
        """Ask the process to end and return its exit code; kill it if it goes on."""
        try:
            self.signal(signal.SIGTERM)
            return self.wait(timeout)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the process and all that it started, and reap it; harmless if there is nothing."""
        if not self._group_may_live:
            return
        process = self._started()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_KILL_SECONDS)
        self._group_may_live = False

    def log(self) -> str:
        """What the process has printed since it was last started."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessFailed("The process has not been started.")
        return self._process

    def _what_it_printed(self) -> str:
        log = self.log()
        return f"It printed:\n{log[-_LOG_CHARACTERS:]}" if log else "It printed nothing."


class LocalServer(AppProcess):
    """The server, listening on a free port of this machine once it is ready."""

    def __init__(
        self,
        data_dir: Path,
        *,
        options: Sequence[str] = (),
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.base_url = f"http://{HOST}:{self.port}"
        address = {"FORGESYTE_HOST": HOST, "FORGESYTE_PORT": str(self.port)}
        super().__init__(
            [*(command or self._uvicorn()), *options],
            data_dir,
            env=address | dict(env or {}),
            cwd=cwd,
        )

    def wait_ready(self, timeout: float = 60) -> None:
        try:
            wait_until(self._listens_or_ended, timeout, f"Listening on port {self.port}")
        except TimeoutError as error:
            raise ProcessFailed(f"{error}. {self._what_it_printed()}") from None
        if not self.is_running():
            code = self.wait(0)
            message = f"The server ended with code {code} before it listened."
            raise ProcessFailed(f"{message} {self._what_it_printed()}")

    def _uvicorn(self) -> list[str]:
        address = ["--host", HOST, "--port", str(self.port)]
        return [sys.executable, "-m", "uvicorn", "app.main:app", *address, *PROTOCOL]

    def _listens_or_ended(self) -> bool:
        if not self.is_running():
            return True
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("FORGESYTE_")}
