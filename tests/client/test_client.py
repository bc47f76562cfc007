"""The synchronous twin: the same answers and errors, from a thread that can be interrupted."""

import ast
import asyncio
import gc
import io
import signal
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from forgesyte_client import AsyncClient, Client, JobStatus, NotFound, Rejected, WaitTimeout
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


def threads_of_clients() -> set[threading.Thread]:
    names = ("ForgeSyte client", "upload")
    return {thread for thread in threading.enumerate() if thread.name.startswith(names)}


def test_many_can_be_left_early(server: ServerProcess) -> None:
    before = threads_of_clients()
    with Client(server.base_url, progress=False) as client:
        submitted = list(client.submit_many([TINY_MP4] * 3, pipeline_id="nothing"))
        assert len({done.job_id for done in submitted}) == 3
        for done in client.run_many([TINY_MP4] * 30, pipeline_id="nothing"):
            assert done.results
            break
    wait_until(lambda: threads_of_clients() <= before, 30, "The end of the client's threads")


def test_a_client_that_is_dropped_ends(server: ServerProcess) -> None:
    before = threads_of_clients()
    client = Client(server.base_url, progress=False)
    client.submit(TINY_MP4, pipeline_id="nothing")
    del client
    gc.collect()
    wait_until(lambda: threads_of_clients() <= before, 30, "The end of the client's threads")


def run_program(program: str, server: ServerProcess) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, server.base_url, str(TINY_MP4)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


NEVER_CLOSED = """
import sys
from forgesyte_client import Client

client = Client(sys.argv[1])
for done in client.run_many([sys.argv[2]] * 3, pipeline_id="sleep", concurrency=2):
    break
print(client.submit(sys.argv[2], pipeline_id="nothing"))
"""


def test_a_client_that_is_never_closed_lets_the_program_end(server: ServerProcess) -> None:
    script = run_program(NEVER_CLOSED, server)
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


FORKED = """
import asyncio, os, sys
from forgesyte_client import AsyncClient, Client

url, video = sys.argv[1:]
client, asynchronous = Client(url, progress=False), AsyncClient(url, progress=False)
print(client.submit(video, pipeline_id="nothing"))
print(asyncio.run(asynchronous.submit(video, pipeline_id="nothing")), flush=True)
if child := os.fork():
    assert os.waitpid(child, 0) == (child, 0)
print(len(client.run(video, pipeline_id="nothing")))
print(len(asyncio.run(asynchronous.run(video, pipeline_id="nothing"))))
print(len(list(client.run_many([video] * 3, pipeline_id="nothing"))))
client.close()
"""


def test_a_client_is_used_on_both_sides_of_a_fork(server: ServerProcess) -> None:
    script = run_program(FORKED, server)
    assert (script.returncode, script.stderr) == (0, "")
    assert script.stdout.split()[2:] == [str(FRAME_COUNT), str(FRAME_COUNT), "3"] * 2


FORKED_IN_BETWEEN = """
import os, sys
from forgesyte_client import Client

client = Client(sys.argv[1], progress=False)
files = client.submit_many([sys.argv[2]] * 2, pipeline_id="nothing", concurrency=1)
next(files)
if child := os.fork():
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), len(list(files)))
else:
    try:
        next(files)
    except RuntimeError:
        os._exit(7)
"""


def test_files_under_way_stay_in_their_process(server: ServerProcess) -> None:
    script = run_program(FORKED_IN_BETWEEN, server)
    assert (script.stdout, script.stderr) == ("7 1\n", "")


def test_an_asynchronous_client_works_in_one_loop_after_another(server: ServerProcess) -> None:
    client = AsyncClient(server.base_url, progress=False)
    job_id = asyncio.run(client.run(TINY_MP4, pipeline_id="nothing")).job_id
    assert asyncio.run(client.status(job_id)).status is JobStatus.COMPLETED

    async def elsewhere_meanwhile() -> None:
        await client.status(job_id)
        await asyncio.to_thread(asyncio.run, client.run(TINY_MP4, pipeline_id="nothing"))
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.status(job_id)

    asyncio.run(elsewhere_meanwhile())


INTERRUPTED = """
import sys, threading, _thread
from forgesyte_client import Client, JobStatus

def interrupt(step):
    if step.status is JobStatus.RUNNING:
        threading.Timer(0.1, _thread.interrupt_main).start()

with Client(sys.argv[1], progress=interrupt) as client:
    job_id = client.submit(sys.argv[2], pipeline_id="sleep")
    for ends in (
        lambda: client.wait(job_id),
        lambda: client.run(sys.argv[2], pipeline_id="sleep"),
        lambda: next(client.run_many([sys.argv[2]], pipeline_id="sleep")),
    ):
        try:
            ends()
        except KeyboardInterrupt as error:
            print(error.__notes__)
"""


def test_ctrl_c_leaves_the_id_of_the_job(server: ServerProcess) -> None:
    script = run_program(INTERRUPTED, server)
    assert (script.returncode, script.stderr) == (0, "")
    notes = [ast.literal_eval(line) for line in script.stdout.splitlines()]
    assert len(notes) == 3
    with Client(server.base_url, progress=False) as client:
        for (note,) in notes:
            client.wait(note.removesuffix(".").split()[-1])
