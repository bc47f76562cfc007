"""The real server, and the worker on its own, as processes that a test can watch and break."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tools.local_server import AppProcess, LocalServer

_BYTES_PER_KIB = 1024


class _Watched(AppProcess):
    """What Linux tells about the running process, child processes not included."""

    def rss(self) -> int:
        """Resident memory, in bytes."""
        return self._status("VmRSS") * _BYTES_PER_KIB

    def peak_rss(self) -> int:
        """The most resident memory there has been since the start, in bytes."""
        return self._status("VmHWM") * _BYTES_PER_KIB

    def threads(self) -> int:
        """How many threads there are."""
        return self._status("Threads")

    def fds(self) -> int:
        """How many file descriptors are open."""
        return len(list(self._proc("fd").iterdir()))

    def cpu_seconds(self) -> float:
        """Processor time used so far, in user and in kernel mode."""
        # The second field is the name in brackets, and a name may hold spaces: proc(5).
        fields = self._proc("stat").read_text().rpartition(")")[2].split()
        user_ticks, system_ticks = int(fields[11]), int(fields[12])
        return (user_ticks + system_ticks) / os.sysconf("SC_CLK_TCK")

    def _status(self, name: str) -> int:
        for line in self._proc("status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0])
        raise ProcessLookupError(f"Process {self.pid} has ended.")  # a zombie has no memory

    def _proc(self, name: str) -> Path:
        return Path("/proc", str(self.pid), name)


class ServerProcess(LocalServer, _Watched):
    """The real server on `data_dir`; ready to be asked inside its `with` block.

    `args` are added to the command line, which is uvicorn's unless `command` replaces it; a
    replacement finds its address in FORGESYTE_HOST and FORGESYTE_PORT. `http` is a protocol of
    uvicorn's in the place of ours. `plugins` are folders with further pipelines, see
    `tests.support.pipelines`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        cwd: Path | None = None,
        command: Sequence[str] | None = None,
        plugins: Iterable[Path] = (),
        loop: Literal["asyncio", "uvloop"] | None = None,
        http: Literal["h11", "httptools"] | None = None,
    ) -> None:
        options = [*(["--loop", loop] if loop else []), *(["--http", http] if http else []), *args]
        super().__init__(
            data_dir,
            options=options,
            command=command,
            env=_search_path(plugins) | dict(env or {}),
            cwd=cwd,
        )

    def restart(self, timeout: float = 60) -> None:
        """Kill what is left of it, and start it again on the same port and data."""
        self.kill()
        self.start()
        self.wait_ready(timeout)

    def run_to_its_end(self, timeout: float = 60) -> int:
        """Start a server that is expected not to stay, and return its exit code."""
        try:
            self.start()
            return self.wait(timeout)
        finally:
            self.kill()


class WorkerProcess(_Watched):
    """The standalone worker on `data_dir`; it takes no connections, so it is ready at once."""

    def __init__(
        self,
        data_dir: Path,
        *,
        env: Mapping[str, str] | None = None,
        plugins: Iterable[Path] = (),
    ) -> None:
        super().__init__(
            [sys.executable, "-m", "app.workers.worker_runner"],
            data_dir,
            env=_search_path(plugins) | dict(env or {}),
        )


def _search_path(plugins: Iterable[Path]) -> dict[str, str]:
    folders = [str(folder) for folder in plugins]
    inherited = os.environ.get("PYTHONPATH")
    if inherited:
        folders.append(inherited)
    return {"PYTHONPATH": os.pathsep.join(folders)} if folders else {}
