"""What a server does at its start about the one before."""

import json
import re
import signal
from datetime import timedelta
from pathlib import Path

from app.models.job import JobStatus
from app.services.job_starts import Starts
from app.services.job_store import INTERRUPTED_TWICE
from tests.faults.durability.craft import Craft
from tests.faults.durability.gate import Gate
from tests.faults.durability.rows import (
    VIDEOS,
    check_files,
    files,
    read_results,
    read_rows,
    wait_until_idle,
)
from tests.support.client import connect, status, submit, wait_until
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

RUNNING = JobStatus.RUNNING
CRASHED = str(Starts(started=1, crashed=1))
STORED = [{"frame_index": 0, "result": {"stored": True}}]


def started(server: ServerProcess) -> list[str]:
    """The jobs that were started, in that order, since the server was made."""
    return re.findall(r"Job (\S+): running", server.log_path.read_text())


def test_every_unfinished_job_is_judged_before_the_port_answers(
    data_dir: Path, gate: Gate, clip: bytes
) -> None:
    craft = Craft(data_dir)
    first = craft.job(clip, pipeline_id="gate", after=timedelta(hours=2))
    second = craft.job(clip, pipeline_id="gate", after=-timedelta(hours=4))
    cut_off = craft.job(clip, RUNNING, pipeline_id="gate")
    torn = craft.job(clip, RUNNING, pipeline_id="gate")
    craft.torn_results(torn)
    with_results = craft.job(clip, RUNNING, pipeline_id="gate")
    craft.results(with_results, STORED)
    without_video = craft.job(None, RUNNING, pipeline_id="gate")
    twice = craft.job(clip, RUNNING, pipeline_id="gate", error_message=CRASHED)
    twice_with_results = craft.job(clip, RUNNING, error_message=CRASHED)
    craft.results(twice_with_results, STORED)
    someone_elses = craft.job(clip, RUNNING, pipeline_id="gate")
    craft.results(someone_elses, STORED)
    results = data_dir / VIDEOS / f"{someone_elses}_results.json"
    results.write_text(results.read_text().replace(someone_elses, with_results))
    last = craft.job(clip, pipeline_id="gate", after=-timedelta(minutes=1))
    in_order = [first, second, cut_off, torn, without_video, someone_elses, last]
    again = {cut_off, torn, without_video, someone_elses}
    loose = [craft.upload_without_row(clip, linked=linked) for linked in (False, True)]
    kept = data_dir / VIDEOS / "holiday.mp4"
    kept.write_bytes(clip)

    with ServerProcess(data_dir, plugins=[gate.plugin]) as server:
        assert status(server.base_url, with_results)["status"] == "completed"
        assert status(server.base_url, twice)["status"] == "failed"
        assert status(server.base_url, last)["status"] == "pending"
        (line,) = [line for line in server.log().splitlines() if "Recovered" in line]
        assert line.endswith(
            "7 pending, 4 of them cut off and started again; 2 completed, 1 failed; "
            "3 leftover files removed"
        )
        rows = read_rows(data_dir)
        assert {job_id for job_id, row in rows.items() if row.error_message == CRASHED} == again
        assert not any(f"{VIDEOS}/{job_id}.mp4" in files(data_dir) for job_id in loose)
        assert kept.exists()
        gate.open()
        rows = wait_until_idle(data_dir)
        assert started(server) == in_order

        expected = dict.fromkeys(in_order, "completed") | {without_video: "failed"}
        expected |= {with_results: "completed", twice: "failed", twice_with_results: "completed"}
        assert {job_id: row.status for job_id, row in rows.items()} == expected
        for job_id in in_order:
            if job_id != without_video:
                (frame,) = read_results(data_dir, rows[job_id])
                assert frame["result"] == {"frame": 0}
        assert f"{without_video}.mp4" in str(rows[without_video].error_message)
        assert rows[twice].error_message == INTERRUPTED_TWICE
        for job_id in (with_results, twice_with_results):
            assert read_results(data_dir, rows[job_id]) == STORED
        kept.unlink()
        check_files(data_dir, rows, lost=f"{without_video}.mp4")

        before = rows, files(data_dir)
        server.restart()
        assert "0 pending, 0 of them cut off" in server.log()
        assert (read_rows(data_dir), files(data_dir)) == before


def test_recovering_twice_changes_nothing_more(data_dir: Path, gate: Gate, clip: bytes) -> None:
    craft = Craft(data_dir)
    held = craft.job(clip, pipeline_id="gate")
    cut_off = [craft.job(clip, RUNNING, pipeline_id="gate") for _ in range(3)]
    with ServerProcess(data_dir, plugins=[gate.plugin]) as server:
        wait_until(gate.has_arrived, 30, "The first job")
        recovered = {job_id: read_rows(data_dir)[job_id] for job_id in cut_off}
        assert {row.error_message for row in recovered.values()} == {CRASHED}
        server.signal(signal.SIGKILL)
        server.restart()
        assert {job_id: read_rows(data_dir)[job_id] for job_id in cut_off} == recovered
        gate.open()
        rows = wait_until_idle(data_dir)
        assert started(server) == [held, held, *cut_off]
    assert {(row.status, row.error_message) for row in rows.values()} == {("completed", None)}


def test_the_note_of_a_crash_outlives_a_stop(data_dir: Path, gate: Gate, clip: bytes) -> None:
    """Cut off, then stopped in good order, then cut off again: that is twice."""
    Craft(data_dir).job(clip, RUNNING, pipeline_id="gate")
    server = ServerProcess(
        data_dir, plugins=[gate.plugin], env={"FORGESYTE_SHUTDOWN_GRACE_SECONDS": "0"}
    )
    with server:
        wait_until(gate.has_arrived, 30, "The job's second start")
        server.stop()
        (row,) = read_rows(data_dir).values()
        assert (row.status, row.error_message) == ("pending", str(Starts(started=2, crashed=1)))

        gate.close()
        server.restart()
        wait_until(gate.has_arrived, 30, "The job's third start")
        server.signal(signal.SIGKILL)
        server.restart()
        (row,) = read_rows(data_dir).values()
        assert (row.status, row.error_message) == ("failed", INTERRUPTED_TWICE)


def test_job_that_kills_the_process_fails_after_its_second_crash(
    data_dir: Path, clip: bytes
) -> None:
    env = {"PIPELINE_SLEEP_SECONDS": "1"}
    with ServerProcess(data_dir, plugins=[READY], env=env) as server:
        before = submit(server.base_url, clip, "sleep")
        deadly = submit(server.base_url, clip, "segfault")
        after = [submit(server.base_url, clip, "nothing") for _ in range(3)]

        ends = [server.wait(60)]
        for _ in range(5):
            server.start()
            wait_until(lambda: not server.is_running() or is_idle(data_dir), 60, "The end")
            if server.is_running():
                server.kill()
            else:
                ends.append(server.wait(0))
        assert ends == [-signal.SIGSEGV] * 2
        assert started(server).count(deadly) == 2
        assert sorted(started(server)) == sorted([before, deadly, deadly, *after])

        server.start()
        server.wait_ready()
        rows = read_rows(data_dir)
        assert {job_id: row.status for job_id, row in rows.items()} == {
            before: "completed",
            deadly: "failed",
            **dict.fromkeys(after, "completed"),
        }
        with connect(server.base_url) as client:
            answer = client.get(f"/video/results/{deadly}")
        assert answer.status_code == 404
        assert INTERRUPTED_TWICE in json.loads(answer.text)["detail"]


def is_idle(data_dir: Path) -> bool:
    return {row.status for row in read_rows(data_dir).values()} <= {"completed", "failed"}
