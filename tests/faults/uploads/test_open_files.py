"""More uploads at once than there are file descriptors for."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from app.workers.open_files import raise_open_file_limit
from tests.faults.uploads.stored import files, jobs
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import submit, wait_for, wait_until
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.uploads import Answer, upload_file, write_video

MIB = 1024 * 1024
SERVE = 'exec "$0" -m uvicorn app.main:app --host "$FORGESYTE_HOST" --port "$FORGESYTE_PORT" "$@"'
Loop = Literal["asyncio", "uvloop"]
LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@pytest.fixture(autouse=True)
def clients_have_descriptors() -> None:
    raise_open_file_limit()


def limited_server(data_dir: Path, ulimit: str, loop: Loop) -> ServerProcess:
    command = ["sh", "-c", f"ulimit {ulimit} && {SERVE}", sys.executable]
    return ServerProcess(
        data_dir, command=command, args=["--no-access-log"], plugins=[READY], loop=loop
    )


@LOOPS
def test_without_descriptors_uploads_wait_or_are_refused_and_all_recovers(
    tmp_path: Path, loop: Loop
) -> None:
    video = tmp_path / "video.mp4"
    padding = 2 * MIB
    video.write_bytes(TINY_MP4.read_bytes() + padding.to_bytes(4) + b"free" + bytes(padding - 8))

    def try_to_upload(_: int) -> Answer | None:
        try:
            return upload_file(server.port, video)
        except OSError:  # closed unanswered
            return None

    with limited_server(tmp_path / "data", "-n 64", loop) as server:
        assert completes(server)
        descriptors = server.fds()
        with ThreadPoolExecutor(200) as threads:
            answers = [answer for answer in threads.map(try_to_upload, range(200)) if answer]
        assert {answer.status for answer in answers} <= {200, 503}
        wait_until(lambda: server.fds() <= descriptors, 30, "The descriptors' return")
        assert completes(server)
        assert len(server.log().splitlines()) <= 1000
        server.stop()
        accepted = {answer.job_id for answer in answers if answer.status == 200}
        assert accepted <= jobs(server.data_dir)
        assert not any(".incoming" in path for path in files(server.data_dir))


def completes(server: ServerProcess) -> bool:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    return bool(wait_for(server.base_url, job_id, 60)["status"] == "completed")


@LOOPS
def test_a_low_soft_limit_is_no_limit(tmp_path: Path, loop: Loop) -> None:
    video = write_video(tmp_path / "video.mp4", 100_000)
    with limited_server(tmp_path / "data", "-S -n 64", loop) as server:
        with ThreadPoolExecutor(200) as threads:
            answers = list(threads.map(lambda _: upload_file(server.port, video), range(200)))
        assert {answer.status for answer in answers} == {200}
