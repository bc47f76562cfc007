"""A long time of everything at once. `make faults SOAK=1` runs it for SOAK_SECONDS, an hour.

A disk that is full can end the server by itself, as a supervisor would see it: it is started again.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from app.services.job_store import INTERRUPTED_TWICE
from tests.clips import encode_clip, numbered_frames
from tests.faults.durability.rows import (
    DATABASE,
    UNFINISHED,
    WAL,
    check_files,
    read_results,
    read_rows,
)
from tests.faults.durability.test_announced_end import deploy
from tests.support.client import connect, submit, wait_for, wait_until
from tests.support.mounts import fill, tmpfs
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.shim import shim

SECONDS = float(os.environ.get("SOAK_SECONDS") or 3600)
MINUTE = min(60.0, SECONDS / 4)
MIB = 1 << 20
DISK_BYTES = 256 * MIB
DAYS = 24 * 3600
FULL = "No space left"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("SOAK"), reason="takes an hour; SOAK=1 runs it"),
    pytest.mark.needs("mounts"),
    pytest.mark.needs("cc"),
    pytest.mark.timeout(SECONDS + 1200),
]


class Held(NamedTuple):
    """What a server with nothing to do holds."""

    memory: int
    descriptors: int
    threads: int
    database: int

    def is_within(self, first: "Held", jobs: int) -> bool:
        """Of what it held after the first minute; a row is a kilobyte at most, and the log is
        written through at 16 MiB."""
        return (
            self.memory <= first.memory + 32 * MIB
            and self.descriptors <= first.descriptors + 3
            and self.threads <= first.threads + 2
            and self.database <= first.database + 20 * MIB + 1024 * jobs
        )


class Soak:
    def __init__(self, server: ServerProcess, clock: Path, video: bytes) -> None:
        self.server = server
        self.acknowledged: list[str] = []
        self.polls = 0
        self._clock = clock
        self._video = video
        self._over = threading.Event()

    def run(self, seconds: float, *, disturbed: bool) -> None:
        """Submit and poll for so long; raises what went wrong in that."""
        self._over.clear()
        works = (self._submit_for_ever, self._submit_for_ever, self._poll_for_ever)
        deadline = time.monotonic() + seconds
        with ThreadPoolExecutor(len(works)) as pool:
            running = [pool.submit(work) for work in works]
            try:
                while time.monotonic() < deadline and not any(work.done() for work in running):
                    time.sleep(min(random.uniform(1, 15), max(0, deadline - time.monotonic())))
                    if disturbed:
                        self._disturb()
            finally:
                self._over.set()
        for work in running:
            work.result()

    def _submit_for_ever(self) -> None:
        while not self._over.wait(random.uniform(0, 0.8)):
            try:
                self.acknowledged.append(submit(self.server.base_url, self._video, "sleep"))
            except (httpx2.TransportError, AssertionError):
                continue  # away, stopping or full

    def _poll_for_ever(self) -> None:
        while not self._over.wait(0.05):
            if not self.acknowledged:
                continue
            job_id = random.choice(self.acknowledged)
            try:
                with connect(self.server.base_url) as client:
                    code = client.get(f"/video/status/{job_id}").status_code
            except httpx2.TransportError:
                continue
            assert code in (200, 503), f"{job_id}: {code}"
            self.polls += 1

    def _disturb(self) -> None:
        random.choice([self._deploy, self._kill, self._jump, self._fill])()
        self._keep_running()

    def _deploy(self) -> None:
        deploy(self.server, random.choice([0.2, 1, 10]))

    def _kill(self) -> None:
        self.server.signal(signal.SIGKILL)
        self.server.wait(30)

    def _jump(self) -> None:
        self._clock.write_text(str(random.randint(-3, 3) * DAYS))

    def _fill(self) -> None:
        filler = fill(self.server.data_dir)
        time.sleep(random.uniform(0.5, 3))
        filler.unlink()

    def _keep_running(self) -> None:
        if not self.server.is_running():
            self.server.restart()

    def settle(self) -> Held:
        """Once there is nothing to do."""
        self._keep_running()
        job_id = submit(self.server.base_url, self._video, "sleep")
        self.acknowledged.append(job_id)
        wait_for(self.server.base_url, job_id, 600)  # the last of them
        wait_until(lambda: not self._unfinished(), 600, "The end of every job")
        folder = self.server.data_dir
        sizes = [
            path.stat().st_size for name in (DATABASE, WAL) if (path := folder / name).exists()
        ]
        server = self.server
        return Held(server.rss(), server.fds(), server.threads(), sum(sizes))

    def _unfinished(self) -> bool:
        rows = read_rows(self.server.data_dir)
        return any(row.status in UNFINISHED for row in rows.values())


@pytest.fixture
def soak(tmp_path: Path) -> Iterator[Soak]:
    encode_clip(tmp_path / "clip.mp4", numbered_frames(3, 48, 64))
    clock = tmp_path / "clock"
    env = shim(tmp_path, clock=clock) | {"PIPELINE_SLEEP_SECONDS": "0.05"}
    with tmpfs(tmp_path / "disk", DISK_BYTES) as disk:
        server = ServerProcess(disk / "data", plugins=[READY], env=env)
        with server:
            yield Soak(server, clock, (tmp_path / "clip.mp4").read_bytes())


def test_nothing_is_lost_and_nothing_grows(soak: Soak) -> None:
    soak.run(MINUTE, disturbed=False)
    first = soak.settle()
    held = []
    deadline = time.monotonic() + SECONDS - MINUTE
    while time.monotonic() < deadline:
        soak.run(min(5 * MINUTE, deadline - time.monotonic()), disturbed=True)
        held.append(soak.settle())
    data_dir = soak.server.data_dir
    rows = read_rows(data_dir)
    print(json.dumps({"jobs": len(rows), "acknowledged": len(soak.acknowledged)}))
    print(json.dumps({"polls": soak.polls, "first": first, "later": held}))
    assert {*soak.acknowledged} <= rows.keys()
    for row in rows.values():
        if row.status == "completed":
            assert len(read_results(data_dir, row)) == 3
        else:
            assert row.error_message == INTERRUPTED_TWICE or FULL in str(row.error_message), row
    check_files(data_dir, rows)
    assert all(one.is_within(first, len(rows)) for one in held), (first, held)
