"""Nothing acknowledged is lost, wherever the process is killed."""

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.faults.durability.rows import check_files, read_results, wait_until_idle
from tests.support.client import connect
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

ROUNDS = int(os.environ.get("FAULT_ROUNDS") or 50)
LANES = 2
CLIENTS = 4


class Client(threading.Thread):
    """Submits without pause until the server is gone; remembers every id it was given."""

    def __init__(self, base_url: str, videos: list[bytes]) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self._base_url = base_url
        self._videos = videos

    def run(self) -> None:
        with connect(self._base_url) as client:
            try:
                while True:
                    video = self._videos[len(self.acknowledged) % len(self._videos)]
                    answer = client.post(
                        "/video/submit", files={"file": video}, data={"pipeline_id": "nothing"}
                    )
                    assert answer.status_code == 200, answer.text
                    self.acknowledged.append(answer.json()["job_id"])
            except httpx2.TransportError:
                return


def submit_until_killed(server: ServerProcess, videos: list[bytes], seconds: float) -> list[str]:
    """What was acknowledged before the server was killed, after `seconds`."""
    clients = [Client(server.base_url, videos) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(seconds)
    server.signal(signal.SIGKILL)
    for client in clients:
        client.join(60)
        assert not client.is_alive()
    return [job_id for client in clients for job_id in client.acknowledged]


def kill_again_and_again(data_dir: Path, videos: list[bytes], rounds: int) -> int:
    """How many submits were acknowledged; every one of them is found at its end, and so is every
    job that nobody was told of."""
    acknowledged = 0
    read: set[str] = set()
    with ServerProcess(data_dir, plugins=[READY], args=["--no-access-log"]) as server:
        for _ in range(rounds):
            job_ids = submit_until_killed(server, videos, random.uniform(0.1, 2))
            acknowledged += len(job_ids)
            server.restart()
            rows = wait_until_idle(data_dir)
            assert set(job_ids) <= rows.keys()
            check_files(data_dir, rows)
            for row in rows.values():
                if row.status == "completed" and row.job_id not in read:
                    results = read_results(data_dir, row)
                    assert results == [{"frame_index": 0, "result": {}}]
                    read.add(row.job_id)
    return acknowledged


@pytest.mark.timeout(60 + 20 * ROUNDS)
def test_nothing_acknowledged_is_lost_by_kills_at_random(
    tmp_path: Path, clip: bytes, long_clip: bytes
) -> None:
    with ThreadPoolExecutor(LANES) as lanes:
        acknowledged = list(
            lanes.map(
                lambda lane: kill_again_and_again(
                    tmp_path / str(lane), [clip, long_clip], -(-ROUNDS // LANES)
                ),
                range(LANES),
            )
        )
    assert min(acknowledged) > ROUNDS
