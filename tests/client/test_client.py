"""The synchronous twin: the same answers and errors, from a thread that can be interrupted."""

import gc
import io
import signal
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from forgesyte_client import Client, JobStatus, NotFound, Rejected, WaitTimeout
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TINY_MP4
from tests.support.client import wait_until
from tests.support.server import ServerProcess

UNKNOWN = "2e1cbcf6-9a7d-4d19-9d07-5d9c2b1dbd5a"


def test_run_and_each_step(server: ServerProcess) -> None:
    with Client(server.base_url, progress=False) as client:
        results = client.run(TINY_MP4, pipeline_id="nothing")
        assert len(results) == FRAME_COUNT
        job_id = client.submit(TINY_MP4, pipeline_id="nothing")
        assert client.wait(job_id).status is JobStatus.COMPLETED
        assert client.status(job_id).job_id == job_id
        assert client.results(job_id).frames == results.frames
        copy = io.BytesIO()
        client.copy_results(job_id, copy)
        assert job_id.encode() in copy.getvalue()


def test_errors_come_through(server: ServerProcess, not_a_video: Path) -> None:
    with Client(server.base_url, progress=False) as client:
        with pytest.raises(NotFound):
            client.status(UNKNOWN)
        with pytest.raises(Rejected):
            client.run(not_a_video, pipeline_id="nothing")
        job_id = client.submit(TINY_MP4, pipeline_id="sleep")
        with pytest.raises(WaitTimeout):
            client.wait(job_id, timeout=0.1)


def test_many_can_be_left_early(server: ServerProcess) -> None:
    before = threading.active_count()
    with Client(server.base_url, progress=False) as client:
        submitted = list(client.submit_many([TINY_MP4] * 3, pipeline_id="nothing"))
        assert len({done.job_id for done in submitted}) == 3
        for done in client.run_many([TINY_MP4] * 30, pipeline_id="nothing"):
            assert done.results
            break
    wait_until(lambda: threading.active_count() <= before, 30, "The end of the client's threads")


def test_a_client_that_is_dropped_ends(server: ServerProcess) -> None:
    before = threading.active_count()
    client = Client(server.base_url, progress=False)
    client.submit(TINY_MP4, pipeline_id="nothing")
    del client
    gc.collect()
    wait_until(lambda: threading.active_count() <= before, 30, "The end of the client's threads")


NEVER_CLOSED = """
import sys
from forgesyte_client import Client

client = Client(sys.argv[1])
for done in client.run_many([sys.argv[2]] * 3, pipeline_id="sleep", concurrency=2):
    break
print(client.submit(sys.argv[2], pipeline_id="nothing"))
"""


def test_a_client_that_is_never_closed_lets_the_program_end(server: ServerProcess) -> None:
    script = subprocess.run(
        [sys.executable, "-c", NEVER_CLOSED, server.base_url, str(TINY_MP4)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (script.returncode, script.stderr) == (0, "")
    assert UUID(script.stdout.strip())


def test_a_closed_client_says_so(server: ServerProcess) -> None:
    client = Client(server.base_url, progress=False)
    client.close()
    with pytest.raises(RuntimeError):
        client.status(UNKNOWN)


SCRIPT = """
import sys
from forgesyte_client import Client

with Client(sys.argv[1]) as client:
    print("ready", flush=True)
    client.run(sys.argv[2], pipeline_id=sys.argv[3])
"""


def test_ctrl_c_ends_the_waiting(server: ServerProcess, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        script = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, server.base_url, str(TINY_MP4), "sleep"],
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: "ready" in log.read_text(), 30, "The script")
        script.send_signal(signal.SIGINT)
        assert script.wait(30) == -signal.SIGINT
    finally:
        script.kill()
        script.wait()
    assert "KeyboardInterrupt" in log.read_text()


SILENT_SERVER = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    connection.recv(1)
    print("connected", flush=True)
    listener.accept()
"""


def test_ctrl_c_ends_an_upload_that_a_silent_server_holds_up(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(16 << 20))
    with subprocess.Popen(
        [sys.executable, "-c", SILENT_SERVER], stdout=subprocess.PIPE, text=True
    ) as silent:
        assert silent.stdout is not None
        url = f"http://127.0.0.1:{silent.stdout.readline().strip()}"
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, url, str(video), "ocr"], stderr=subprocess.DEVNULL
        ) as script:
            try:
                assert silent.stdout.readline() == "connected\n"
                script.send_signal(signal.SIGINT)
                assert script.wait(30) == -signal.SIGINT
            finally:
                script.kill()
                silent.kill()
