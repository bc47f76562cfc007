import errno
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from app.models.job import JobStatus
from app.services.job_starts import Starts
from app.services.pipelines.registry import PipelineRegistry
from app.services.storage.local_storage import LocalStorage
from app.workers import worker as worker_module
from tests.clips import encode_clip, textured_frames
from tests.fixtures import make_tiny_mp4
from tests.support import footage
from tests.support.dags import Dag
from tests.support.pipelines import READY
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
    assert "damaged" in (job.error_message or "")


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
    assert Starts.of(job.error_message) == Starts(started=1)
    assert worker.run_once() is False
    assert bench.files() == {f"{job_id}.mp4"}


def answers_kept(bench: Bench) -> set[str]:
    return {name for name in bench.files() if name.endswith("_answers.part")}


def interrupted_at(bench: Bench, last: int, fingerprint: str | None) -> tuple[UUID, list[int]]:
    """A job that is interrupted while that frame is run, and the frames that were asked for."""
    asked: list[int] = []

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(payload["frame_index"])
        if payload["frame_index"] == last:
            worker.interrupt()
        return {"first": payload["frame_index"]}

    worker = bench.worker(Dag(run, fingerprint))
    job_id = bench.submit(different_frames(bench))
    assert worker.run_once()
    assert bench.job(job_id).status is JobStatus.PENDING
    bench.queue.enqueue(job_id)
    return job_id, asked


def different_frames(bench: Bench) -> Path:
    return encode_clip(bench.storage.root / ".incoming" / "video", textured_frames(10))


@pytest.mark.parametrize(
    ("first", "second", "again"),
    [("v1", "v1", False), ("v1", "v2", True), (None, "v1", True), ("v1", None, True)],
)
def test_the_next_start_asks_a_pure_pipeline_only_for_what_is_not_there(
    bench: Bench, first: str | None, second: str | None, again: bool
) -> None:
    job_id, before = interrupted_at(bench, 5, first)
    assert bool(answers_kept(bench)) is (first is not None)
    after: list[int] = []

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        after.append(payload["frame_index"])
        return {"second": payload["frame_index"]}

    drain(bench, Dag(run, second))

    assert bench.job(job_id).status is JobStatus.COMPLETED
    assert {*before} | {*after} == {*range(10)}
    assert {*before}.isdisjoint(after) is not again
    document = json.loads(bench.storage.load_file(f"{job_id}_results.json").read_bytes())
    asked_in = {"first": before, "second": after}
    for element in document["results"]:
        ((start, index),) = element["result"].items()
        assert index == element["frame_index"]
        assert index in asked_in[start]
    assert answers_kept(bench) == set()


@pytest.mark.parametrize("fails", [True, False])
def test_answers_go_with_the_end_of_the_job(bench: Bench, fails: bool) -> None:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        if fails and payload["frame_index"] == 7:
            raise ValueError("no")
        return {}

    bench.submit()
    drain(bench, Dag(run, "v1"))

    assert answers_kept(bench) == set()


def test_nothing_is_remembered_from_another_video(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(READY)
    worker = bench.worker(PipelineRegistry())
    same = [bench.submit(pipeline_id="count")]
    bench.submit(footage.clip("carphone_pristine.mp4"), pipeline_id="count")
    same.append(bench.submit(pipeline_id="count"))
    while worker.run_once():
        pass

    first, second = (
        json.loads(bench.storage.load_file(f"{job_id}_results.json").read_bytes())["results"]
        for job_id in same
    )
    assert first == second
    assert [element["result"]["seen"] for element in first] == list(range(1, 11))


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
