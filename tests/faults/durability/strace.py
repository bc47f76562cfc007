"""Failing and killing a process at one of its system calls, from outside."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.client import wait_until
from tools.local_server import AppProcess

UNFINISHED = "<unfinished ...>"
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")


class Trace:
    """What strace saw, one line a system call, each file descriptor with its path."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()

    def failed(self) -> list[str]:
        """The calls that were made to fail."""
        return [call for call in whole_calls(self.lines()) if call.endswith("(INJECTED)")]

    def killed_at(self) -> str:
        """The call that the process did not live to make. Waits for the process's end."""
        wait_until(lambda: "+++ killed by SIGKILL +++" in "".join(self.lines()), 60, "The kill")
        return next(line for line in self.lines() if line.endswith((UNFINISHED, "= ?")))


def whole_calls(lines: Iterable[str]) -> Iterator[str]:
    """One line a call. strace breaks off the line of a call when another thread makes one
    meanwhile, and what it was called with stands in the first half alone."""
    begun: dict[str, str] = {}
    for line in lines:
        thread = line.partition(" ")[0]
        if line.endswith(UNFINISHED):
            begun[thread] = line.removesuffix(UNFINISHED)
        elif resumed := RESUMED.search(line):
            yield begun.pop(thread, "") + line[resumed.end() :]
        else:
            yield line


@contextmanager
def injecting(
    process: AppProcess,
    calls: str,
    fault: str,
    *,
    when: int = 1,
    path: Path | None = None,
    main_thread_only: bool = False,
) -> Iterator[Trace]:
    """Make the system calls named in `calls`, separated by commas, suffer `fault` (`error=EIO`,
    `signal=SIGKILL`) the `when`-th time from now on.

    Each thread counts for itself, and each kind of call by itself. With `path`, only calls on that
    path count. A call at which a signal is injected is not made any more.
    """
    log, said = process.log_path.with_suffix(".calls"), process.log_path.with_suffix(".strace")
    command = ["strace", "-y", "-o", str(log), "-p", str(process.pid)]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}:when={when}"]
    command += ["-P", str(path)] if path else []
    command += [] if main_thread_only else ["-f"]
    with said.open("wb") as output:
        strace = subprocess.Popen(command, stderr=output)
    try:
        wait_until(lambda: "attached" in said.read_text(), 30, "strace at its process")
        yield Trace(log)
    finally:
        _end(strace)


def _end(strace: subprocess.Popen[bytes]) -> None:
    """Let go of the process. One that was killed while it started a thread can leave strace
    waiting for ever, and itself unburied."""
    strace.terminate()
    try:
        strace.wait(3)
    except subprocess.TimeoutExpired:
        strace.kill()
        strace.wait(30)
