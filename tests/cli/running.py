"""The command as a process: through pipes, or in a terminal."""

import codecs
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from select import select

import pyte

from tests.support.open_files import open_files

SECONDS = 60
COLUMNS = 100
LINES = 24
COMMAND = str(Path(sys.executable).with_name("forgesyte"))


@dataclass
class ForgeSyte:
    folder: Path
    env: dict[str, str]

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it to its end, its output going into pipes."""
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def in_terminal(self, *arguments: str | Path, stdout: int | None = None) -> "Terminal":
        return Terminal([COMMAND, *map(str, arguments)], self.folder, self.env, stdout)


class Terminal:
    """The command in a terminal of its own, COLUMNS wide; `stdout` may lead elsewhere."""

    def __init__(
        self, command: list[str], folder: Path, env: Mapping[str, str], stdout: int | None
    ) -> None:
        self._screen, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**env, "TERM": "xterm"},
            stdin=inside,
            stdout=inside if stdout is None else stdout,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.shown = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait(SECONDS)
        os.close(self._screen)

    def read_until(self, text: str) -> None:
        """Return when `text` has been shown; TimeoutError if it is not."""
        deadline = time.monotonic() + SECONDS
        while text not in self.shown:
            if not self._read(deadline):
                raise TimeoutError(f"{text!r} was not shown, but {self.shown!r}")

    def reads_from(self, name: str) -> bool:
        """Whether the command has opened such a file once more, beside what it was given."""
        return any(
            target.startswith(name)
            for number, target in open_files(self._process.pid).items()
            if number > 2
        )

    def press_ctrl_c(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """The exit code, when all that it shows has been read."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(SECONDS)

    def lines(self) -> list[str]:
        """What a person sees, from the first line on: what is left, not what was there once."""
        screen = pyte.HistoryScreen(COLUMNS, LINES, history=1000)
        pyte.Stream(screen).feed(self.shown)
        rows = [*screen.history.top, *(screen.buffer[line] for line in range(LINES))]
        texts = ["".join(row[column].data for column in range(COLUMNS)) for row in rows]
        return [text.rstrip() for text in texts if text.strip()]

    def _read(self, deadline: float) -> bool:
        """Take in more of what is shown; False at the end of it, and of the patience."""
        data = b""
        if select([self._screen], [], [], max(0, deadline - time.monotonic()))[0]:
            with suppress(OSError):  # the other side has been closed
                data = os.read(self._screen, 65536)
        self.shown += self._decoder.decode(data)
        return bool(data)
