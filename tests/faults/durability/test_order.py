"""One job at a time, in the order of the commits, through any number of kills."""

import itertools
import json
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from tests.faults.durability.patched import patched_server
from tests.faults.durability.rows import wait_until_idle
from tests.support.client import submit
from tests.support.pipelines import write_pipeline_package
from tests.support.server import ServerProcess

THREADS = 16
JOBS = 200
KILLS = 4
ATTEMPTS = JOBS + (KILLS + 2) * THREADS

# Each attempt to submit names a pipeline of its own, so that what ran can be told from the log.
SOURCE = """
import json, os, time

def factory():
    def note(event):
        with open({log!r}, "a") as log:
            log.write(json.dumps([event, {name!r}, os.getpid(), time.time()]) + "\\n")

    def run(payload):
        note("began")
        time.sleep(0.002)
        note("ended")
        return {{}}

    return run
"""


class Event(NamedTuple):
    what: str
    pipeline_id: str
    pid: int
    time: float


class Crowd:
    """Threads that submit one-frame videos until so many were acknowledged, or no pipeline is left
    that was not named yet: on a slow machine, many answers come too late to count."""

    def __init__(self, base_url: str, video: bytes, pipeline_ids: Iterator[str]) -> None:
        self.acknowledged: list[str] = []
        self._base_url = base_url
        self._video = video
        self._pipeline_ids = pipeline_ids
        self._threads = [threading.Thread(target=self._submit) for _ in range(THREADS)]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(60)

    def _submit(self) -> None:
        pipeline_id = next(self._pipeline_ids, None)
        while pipeline_id is not None and len(self.acknowledged) < JOBS:
            try:
                job_id = submit(self._base_url, self._video, pipeline_id)
            except httpx2.ConnectError:
                time.sleep(0.05)  # killed; it will be back
                continue
            except httpx2.TransportError:
                pass  # whether there is a job now, only the server knows
            else:
                self.acknowledged.append(job_id)
            pipeline_id = next(self._pipeline_ids, None)


ENQUEUE_TWICE = """
from app.services.queue.memory_queue import MemoryQueue

real = MemoryQueue.enqueue

def enqueue(self, job_id):
    real(self, job_id)
    real(self, job_id)

MemoryQueue.enqueue = enqueue
"""


@pytest.mark.parametrize(
    ("kills", "patch"),
    [
        pytest.param(0, "", id="undisturbed"),
        pytest.param(0, ENQUEUE_TWICE, id="every id queued twice"),
        pytest.param(KILLS, "", id="killed"),
    ],
)
def test_jobs_start_one_at_a_time_in_the_order_of_their_commits(
    kills: int, patch: str, tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    log = tmp_path / "events"
    names = [f"job_{number}" for number in range(ATTEMPTS)]
    package = write_pipeline_package(
        tmp_path / "package", {name: SOURCE.format(log=str(log), name=name) for name in names}
    )
    with ServerProcess(data_dir, plugins=[package], command=patched_server(patch)) as server:
        with Crowd(server.base_url, clip, iter(names)) as crowd:
            for _ in range(kills):
                time.sleep(random.uniform(0.1, 1))
                server.signal(signal.SIGKILL)
                server.restart()
        rows = wait_until_idle(data_dir)
    assert set(crowd.acknowledged) <= rows.keys()

    lines = log.read_text().replace("][", "]\n[").splitlines()
    events = [Event(*json.loads(line)) for line in lines]
    began = [event for event in events if event.what == "began"]
    committed = [row.pipeline_id for row in rows.values()]
    assert set(committed) >= {event.pipeline_id for event in began}
    ranks = [committed.index(event.pipeline_id) for event in began]
    assert ranks == sorted(ranks)

    for one, next_one in itertools.pairwise(events):
        if one.what == "began" and one.pid == next_one.pid:
            assert (next_one.what, next_one.pipeline_id) == ("ended", one.pipeline_id)
        assert one.time <= next_one.time

    claims = Counter(re.findall(r"Job (\S+): running", server.log_path.read_text()))
    assert max(claims.values()) <= 2
    assert sum(claims.values()) - len(claims) <= kills
    assert claims.keys() == rows.keys()
    if not kills:
        assert [event.pipeline_id for event in began] == committed
        assert {row.status for row in rows.values()} == {"completed"}
