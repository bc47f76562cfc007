"""Store, queue, worker, stop, crash and recovery against a model, in any order."""

import logging
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker
from tenacity import wait_none

from app.core.database import build_engine
from app.core.database_thread import DatabaseThread
from app.core.errors import DatabaseError, JobStateError
from app.core.machine import boot_id
from app.models.job import Job, JobStatus
from app.services import job_store
from app.services.job_starts import Starts
from app.services.job_store import INTERRUPTED_TWICE, JobRecord, JobStore, NewJob
from app.services.queue.memory_queue import MemoryQueue
from app.services.recovery import has_whole_results, recover
from app.services.storage.local_storage import LocalStorage
from app.services.video.payload import FramePayload
from app.services.video_file_pipeline_service import DagService
from app.workers import worker as worker_module
from app.workers.worker import JobWorker
from tests.support.dags import Dag

PENDING, RUNNING, COMPLETED, FAILED = JobStatus
MOVES = {(PENDING, RUNNING), (RUNNING, COMPLETED), (RUNNING, FAILED), (RUNNING, PENDING)}
FRAMES = 3
LAST = FRAMES - 1
NO_IMAGE = np.zeros((1, 1, 3), np.uint8)
EXAMPLES, STEPS = 64, 50

frames = st.integers(0, LAST)
moments = st.sampled_from(["die before", "die after"])


class Died(BaseException):
    """The process is gone: nothing of it does anything any more."""


class MortalDatabase(DatabaseThread):
    """In memory. What happens to the next calls stands in `plan`; after that they are served."""

    def __init__(self) -> None:
        engine = build_engine("duckdb:///:memory:")
        super().__init__(engine, self._fatal)
        self.sessions = sessionmaker(engine)
        self.plan: deque[str] = deque()
        self.is_dead = False

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        happens = self.plan.popleft() if self.plan else "serve"
        if happens == "refuse":
            raise DatabaseError("refused")
        self.is_dead |= happens == "die before"
        if self.is_dead:
            raise Died
        answer = super().call(function, *args, **kwargs)
        self.is_dead |= happens == "die after"
        if self.is_dead:
            raise Died
        return answer

    def revive(self) -> None:
        self.plan.clear()
        self.is_dead = False

    def _fatal(self, error: BaseException) -> None:
        raise AssertionError("the database is unusable") from error


class ThreeFrames:
    """A video service without videos: every job has three frames."""

    def __init__(self, dag_service: DagService) -> None:
        self._dag_service = dag_service

    def run_on_file(self, path: Path, pipeline_id: str) -> list[dict[str, Any]]:
        return [
            {
                "frame_index": index,
                "result": self._dag_service.run_pipeline(
                    pipeline_id, FramePayload(index, NO_IMAGE, 0.0)
                ),
            }
            for index in range(FRAMES)
        ]


@dataclass
class ModelJob:
    """What must be true of a job."""

    raises: bool
    status: JobStatus = PENDING
    started: int = 0
    crashed: int = 0
    error: str | None = None
    has_results: bool = False
    row: JobRecord | None = None  # as it was last seen

    def reach_its_end(self) -> None:
        self.has_results |= not self.raises

    def settle(self) -> None:
        self.reach_its_end()
        self.status = FAILED if self.raises else COMPLETED
        self.error = "ValueError: the pipeline raised" if self.raises else None

    def recover(self, *, announced: bool) -> None:
        if self.status is not RUNNING:
            return
        self.crashed += not announced and not self.has_results
        if self.has_results:
            self.status = COMPLETED
        elif self.crashed == 2:
            self.status, self.error = FAILED, INTERRUPTED_TWICE
        else:
            self.status = PENDING

    def note(self) -> str | None:
        """What error_message says."""
        if self.status in (COMPLETED, FAILED) or not self.started:
            return self.error
        boot = boot_id() if self.status is RUNNING else ""
        return str(Starts(self.started, self.crashed, boot))


class Jobs(RuleBasedStateMachine):
    """`store`, `queue` and `worker` are those of the present process."""

    database: MortalDatabase
    moves: ClassVar[set[tuple[JobStatus, JobStatus]]] = set()
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.storage = LocalStorage(Path(tempfile.mkdtemp()))
        self.jobs: dict[UUID, ModelJob] = {}
        self.in_frame: dict[int, Callable[[], None]] = {}
        self.database.revive()
        self.database.call(self.delete_rows)
        self.start()

    def teardown(self) -> None:
        shutil.rmtree(self.storage.root)

    # What clients do

    @rule(raises=st.booleans())
    def submit(self, raises: bool) -> None:
        job_id = self.store_video()
        assert self.database.call(self.store.create, [new_job(job_id)]) == [None]
        self.enqueue(job_id)
        self.jobs[job_id] = ModelJob(raises)

    @precondition(lambda self: self.jobs)
    @rule(count=st.integers(1, 3))
    def submit_beside_a_row_that_is_refused(self, count: int) -> None:
        fresh = [self.store_video() for _ in range(count)]
        rows = [new_job(job_id) for job_id in [*fresh, next(iter(self.jobs))]]
        outcomes = self.database.call(self.store.create, rows)
        assert [error is None for error in outcomes] == [*[True] * count, False]
        for job_id in fresh:
            self.enqueue(job_id)
            self.jobs[job_id] = ModelJob(raises=False)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def queue_once_more(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from([*self.jobs]))
        self.enqueue(job_id)
        self.queued_again.add(job_id)

    # What the worker does

    @precondition(lambda self: not self.next_is_pending())
    @rule()
    def run_with_nothing_to_do(self) -> None:
        assert self.worker.run_once() is bool(self.queued)
        if self.queued:
            self.queued.popleft()

    @precondition(lambda self: self.next_is_pending())
    @rule(at_claim=st.integers(0, 2), at_finish=st.integers(0, 2))
    def run(self, at_claim: int, at_finish: int) -> None:
        """However often the database refuses, in the end it is written."""
        self.database.plan.extend([*["refuse"] * at_claim, "serve", *["refuse"] * at_finish])
        assert self.worker.run_once() is True
        self.take_job().settle()

    # How a process ends

    @rule()
    def crash_with_nothing_to_do(self) -> None:
        self.restart()

    @precondition(lambda self: self.next_is_pending())
    @rule(moment=moments)
    def crash_at_the_claim(self, moment: str) -> None:
        self.database.plan.append(moment)
        self.run_until_dead()
        job = self.take_job()
        if moment == "die after":
            job.status = RUNNING
        else:
            job.started -= 1
        self.restart()

    @precondition(lambda self: self.next_is_pending())
    @rule(frame=frames, announced=st.booleans())
    def crash_in_a_frame(self, frame: int, announced: bool) -> None:
        def die() -> None:
            self.database.is_dead = True
            raise Died

        job = self.take_job()
        self.in_frame[0 if job.raises else frame] = die
        self.run_until_dead()
        job.status = RUNNING
        self.restart(announced=announced)

    @precondition(lambda self: self.next_is_pending())
    @rule(moment=moments)
    def crash_at_the_finish(self, moment: str) -> None:
        self.database.plan.extend(["serve", moment])
        self.run_until_dead()
        job = self.take_job()
        job.reach_its_end()
        if moment == "die before":
            job.status = RUNNING
        else:
            job.settle()
        self.restart()

    @rule(judged=st.integers(0, 1))
    def crash_in_the_recovery(self, judged: int) -> None:
        """After so many of the jobs that were cut off have been judged."""
        ids = [job_id for job_id, job in self.jobs.items() if job.status is RUNNING]

        def judge(job_id: UUID) -> bool:
            if job_id in ids[judged:]:
                raise Died
            return has_whole_results(self.storage, job_id)

        with suppress(Died):
            self.database.call(JobStore(self.database.sessions).recover, judge)
        for job_id in ids[:judged]:
            self.jobs[job_id].recover(announced=False)
        self.restart()

    @rule()
    def crash_with_files_left_over(self) -> None:
        lost = self.store_video()
        (self.storage.staging.folder / f"{lost}.part").touch()
        for job_id in self.jobs:
            (self.storage.staging.folder / f"{job_id}.part").touch()
            (self.storage.staging.folder / f"{job_id}_results.json.part").write_text("{")
        self.restart()
        assert not (self.storage.root / f"{lost}.mp4").exists()

    @precondition(lambda self: self.next_is_pending())
    @rule(frame=frames, is_refused=st.booleans())
    def stop_in_a_frame(self, frame: int, is_refused: bool) -> None:
        """It ends in front of the next one. What the database does not take is found as cut off by
        a stop."""

        def stop() -> None:
            self.worker.stop()
            self.worker.interrupt()
            self.database.plan.extend(["refuse"] * is_refused)

        job = self.take_job()
        self.in_frame[0 if job.raises else frame] = stop
        assert self.worker.run_once() is not is_refused
        if frame == LAST or job.raises:
            job.reach_its_end()
        if is_refused:
            job.status = RUNNING
        elif frame == LAST or job.raises:
            job.settle()
        assert self.worker.run_once() is False
        self.restart(announced=True)

    @precondition(lambda self: self.next_is_pending())
    @rule(frame=frames)
    def stop_without_a_frame_that_comes_back_later(self, frame: int) -> None:
        def abandon() -> None:
            self.worker.stop()
            self.worker.interrupt()
            self.database.call(self.store.release, self.worker.running)

        job = self.take_job()
        self.in_frame[0 if job.raises else frame] = abandon
        if frame == LAST or job.raises:
            job.reach_its_end()
            with pytest.raises(JobStateError):
                self.worker.run_once()
        else:
            assert self.worker.run_once() is True
        self.restart()

    # What always holds

    @invariant()
    def rows_are_as_the_model_has_them(self) -> None:
        rows = self.database.call(JobStore(self.database.sessions).get, [*self.jobs])
        for job, row in zip(self.jobs.values(), rows, strict=True):
            assert (row.status, row.error_message) == (job.status, job.note())
            assert self.store.cached(row.job_id) in (None, row)
            assert job.has_results is has_whole_results(self.storage, row.job_id)
            if job.row:
                assert row.created_at == job.row.created_at
                assert row.updated_at >= job.row.updated_at
                assert job.row.status in (PENDING, RUNNING) or row == job.row
            job.row = row

    @invariant()
    def what_is_pending_is_queued_and_nothing_else(self) -> None:
        pending = {id for id, job in self.jobs.items() if job.status is PENDING}
        assert self.queue.size() == len(self.queued)
        assert pending <= {*self.queued} <= pending | self.queued_again

    @invariant()
    def only_lawful_moves_were_made_and_nothing_is_left_over(self) -> None:
        assert self.moves <= MOVES
        assert not [*self.storage.staging.folder.iterdir()]
        type(self).steps += 1

    # How that is done

    def start(self) -> None:
        """A new process."""
        self.store = JobStore(self.database.sessions)
        self.queue = MemoryQueue()
        self.queued: deque[UUID] = deque()
        self.queued_again: set[UUID] = set()
        self.worker = JobWorker(
            queue=self.queue,
            database=self.database,
            store=self.store,
            storage=self.storage,
            staging=self.storage.staging,
            pipelines=Dag(self.answer),
            service_of=ThreeFrames,  # type: ignore[arg-type]
        )

    def restart(self, *, announced: bool = False) -> None:
        """A new process after the one before has ended, in whatever way."""
        self.in_frame.clear()
        self.database.revive()
        self.start()
        recover(self.database, self.store, self.storage, self.queue, announced=announced)
        for job in self.jobs.values():
            job.recover(announced=announced)
        self.queued.extend(id for id, job in self.jobs.items() if job.status is PENDING)

    def answer(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The machine is the pipeline of all its jobs."""
        assert self.worker.running is not None
        self.in_frame.pop(payload["frame_index"], lambda: None)()
        if self.jobs[self.worker.running].raises:
            raise ValueError("the pipeline raised")
        return {}

    def run_until_dead(self) -> None:
        with pytest.raises(Died):
            self.worker.run_once()

    def next_is_pending(self) -> bool:
        return bool(self.queued) and self.jobs[self.queued[0]].status is PENDING

    def take_job(self) -> ModelJob:
        job = self.jobs[self.queued.popleft()]
        job.started += 1
        return job

    def enqueue(self, job_id: UUID) -> None:
        self.queue.enqueue(job_id)
        self.queued.append(job_id)

    def store_video(self) -> UUID:
        job_id = uuid4()
        (self.storage.root / f"{job_id}.mp4").touch()
        return job_id

    def delete_rows(self) -> None:
        with self.database.sessions.begin() as session:
            session.execute(text("DELETE FROM jobs"))


def new_job(job_id: UUID) -> NewJob:
    return NewJob(job_id, "pipeline", f"{job_id}.mp4")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The machine, with a database for all its runs and every transition of a row watched."""
    transition = job_store.transition
    monkeypatch.setattr(Jobs, "database", database := MortalDatabase(), raising=False)
    monkeypatch.setattr(worker_module, "wait_exponential", lambda **_: wait_none())

    def watched(job: Job, status: JobStatus, **changes: str | None) -> None:
        Jobs.moves.add((job.status, status))
        transition(job, status, **changes)

    monkeypatch.setattr(job_store, "transition", watched)
    database.open()
    yield Jobs
    database.close()


@pytest.mark.timeout(300)
def test_jobs_keep_to_the_model(machine: type[Jobs], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
    assert machine.steps >= 2000
    assert machine.moves == MOVES
