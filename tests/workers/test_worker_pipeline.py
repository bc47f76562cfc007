import errno
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.models.job import JobStatus
from app.services.pipelines.registry import PipelineRegistry
from app.services.storage.local_storage import LocalStorage
from app.workers import worker as worker_module
from tests.fixtures import make_tiny_mp4
from tests.support.dags import Dag
from tests.workers.conftest import TINY, Bench, recording


class Odd(BaseException):
    """What a pipeline ought not to raise."""


@pytest.fixture(params=["static", "made"])
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "static":
        return TINY
    made = tmp_path / "made.mp4"
    make_tiny_mp4.ensure(made)
    return made


def drain(bench: Bench, dag: Dag) -> None:
    worker = bench.worker(dag)
    while worker.run_once():
        pass


def test_results_of_a_real_pipeline_are_stored_and_the_row_says_where(
    bench: Bench, tiny: Path
) -> None:
    worker = bench.worker(PipelineRegistry())
    job_id = bench.submit(tiny, "barcodes")
    assert worker.run_once()
    job = bench.job(job_id)
    assert job.status is JobStatus.COMPLETED
    assert job.output_path == f"{job_id}_results.json"
    assert job.error_message is None
    document = json.loads(bench.storage.load_file(job.output_path).read_bytes())
    assert document["job_id"] == str(job_id)
    assert [e["frame_index"] for e in document["results"]] == list(range(10))
    for element in document["results"]:
        (code,) = element["result"]["barcodes"]
        assert code["text"] == make_tiny_mp4.CODE
    assert bench.files() == {f"{job_id}.mp4", f"{job_id}_results.json"}


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("it broke"),
        MemoryError(),
        RecursionError("too deep"),
        SystemExit(3),
        KeyboardInterrupt(),
        Odd("odd"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_pipeline_raises_fails_its_job_and_no_other(
    bench: Bench, error: BaseException
) -> None:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        if worker.running == bad:
            raise error
        return {}

    worker = bench.worker(Dag(run))
    before, bad, after = bench.submit(), bench.submit(), bench.submit()
    while worker.run_once():
        pass
    assert bench.job(before).status is JobStatus.COMPLETED
    assert bench.job(after).status is JobStatus.COMPLETED
    failed = bench.job(bad)
    assert failed.status is JobStatus.FAILED
    assert type(error).__name__ in (failed.error_message or "")
    assert str(error) in (failed.error_message or "")
    assert f"{bad}_results.json" not in bench.files()


def test_failure_is_logged_with_its_traceback(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        raise RuntimeError("it broke")

    bench.submit()
    drain(bench, Dag(run))
    (record,) = [r for r in caplog.records if "failed" in r.getMessage()]
    assert record.exc_info is not None
    assert "it broke" in str(record.exc_info[1])


def test_file_that_is_no_video_fails_saying_so(bench: Bench, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(5000))
    job_id = bench.submit(garbage)
    drain(bench, Dag(lambda _: {}))
    job = bench.job(job_id)
    assert job.status is JobStatus.FAILED
    assert "moov" in (job.error_message or "")


def test_video_that_is_gone_fails_saying_so(bench: Bench) -> None:
    job_id = bench.submit(video=None)
    drain(bench, Dag(lambda _: {}))
    job = bench.job(job_id)
    assert job.status is JobStatus.FAILED
    assert f"{job_id}.mp4" in (job.error_message or "")


def test_unknown_pipeline_fails_saying_so(bench: Bench) -> None:
    job_id = bench.submit(pipeline_id="uninstalled")
    worker = bench.worker(PipelineRegistry())
    assert worker.run_once()
    job = bench.job(job_id)
    assert job.status is JobStatus.FAILED
    assert "uninstalled" in (job.error_message or "")


def test_result_that_is_no_json_fails_and_leaves_no_file(bench: Bench) -> None:
    job_id = bench.submit()
    drain(bench, Dag(lambda _: {"image": b"raw"}))
    job = bench.job(job_id)
    assert job.status is JobStatus.FAILED
    assert "frame 0" in (job.error_message or "")
    assert "image" in (job.error_message or "")
    assert bench.files() == {f"{job_id}.mp4"}


def test_full_disk_fails_the_job_and_leaves_no_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = bench.submit()

    def refuse(self: LocalStorage, src: Path, dest_path: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(src))

    monkeypatch.setattr(LocalStorage, "save_file", refuse)
    drain(bench, Dag(lambda _: {}))
    job = bench.job(job_id)
    assert job.status is JobStatus.FAILED
    assert "No space left" in (job.error_message or "")
    assert str(bench.storage.root) not in (job.error_message or "")
    assert bench.files() == {f"{job_id}.mp4"}


def test_refused_final_write_is_repeated_and_the_pipeline_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[int] = []
    refusals = [OperationalError("UPDATE", {}, Exception("refused"))] * 2
    complete = bench.store.complete

    def refuse_twice(job_id: Any, output_path: str) -> None:
        if refusals:
            raise refusals.pop()
        complete(job_id, output_path)

    monkeypatch.setattr(bench.store, "complete", refuse_twice)
    job_id = bench.submit()
    drain(bench, recording(frames, lambda payload: payload["frame_index"]))
    assert bench.job(job_id).status is JobStatus.COMPLETED
    assert frames == list(range(10))


def test_interruption_between_frames_makes_the_job_pending_again(bench: Bench) -> None:
    frames: list[int] = []

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        frames.append(payload["frame_index"])
        if len(frames) == 3:
            worker.stop()
            worker.interrupt()
        return {}

    worker = bench.worker(Dag(run))
    job_id = bench.submit()
    worker.run_once()
    job = bench.job(job_id)
    assert frames == [0, 1, 2]
    assert job.status is JobStatus.PENDING
    assert job.error_message is None
    assert worker.run_once() is False
    assert bench.files() == {f"{job_id}.mp4"}


def test_no_session_is_open_while_a_pipeline_runs(bench: Bench) -> None:
    """The database's thread is free, so that others are served meanwhile."""
    answered: list[JobStatus] = []

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        asker = threading.Thread(target=lambda: answered.append(bench.job(job_id).status))
        asker.start()
        asker.join(10)
        return {}

    job_id = bench.submit()
    drain(bench, Dag(run))
    assert answered == [JobStatus.RUNNING] * 10


def test_worker_reaches_the_pipeline_through_the_service_alone() -> None:
    source = Path(worker_module.__file__).read_text()
    assert "import av" not in source
    assert ".run_on_file(" in source
