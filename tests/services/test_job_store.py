"""The store of job rows: where the database refuses, and what is cached of a row."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from app.core.clock import utc_now
from app.models.job import JobStatus
from app.services import job_store
from app.services.job_store import JobStore, NewJob


@pytest.fixture
def store(sessions: sessionmaker[Session]) -> JobStore:
    return JobStore(sessions)


def refuse(connection: Any) -> None:
    raise duckdb.IOException("IO Error: the commit is refused")


def test_refused_commit_is_rolled_back(
    store: JobStore, memory_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the row nor an open transaction stays, and the next commit is taken."""
    job = NewJob(uuid4(), "ocr", "video.mp4")
    with monkeypatch.context() as broken:
        broken.setattr(memory_engine.dialect, "do_commit", refuse)
        (error,) = store.create([job])
    assert "refused" in str(error)
    assert store.cached(job.job_id) is None
    assert store.get([job.job_id]) == [None]
    assert store.create([job]) == [None]
    (record,) = store.get([job.job_id])
    assert record is not None
    assert record.status is JobStatus.PENDING


def new_job() -> NewJob:
    job_id = uuid4()
    return NewJob(job_id, "test", f"{job_id}.mp4")


MOVES: dict[JobStatus, Callable[[JobStore, NewJob], object]] = {
    JobStatus.RUNNING: lambda store, job: store.claim(job.job_id),
    JobStatus.PENDING: lambda store, job: store.release(job.job_id),
    JobStatus.COMPLETED: lambda store, job: store.complete(job.job_id, "results.json"),
    JobStatus.FAILED: lambda store, job: store.fail(job.job_id, "broken"),
}


@pytest.mark.parametrize("status", MOVES)
def test_a_row_is_forgotten_while_it_changes_and_then_cached_anew(
    store: JobStore, sessions: sessionmaker[Session], status: JobStatus
) -> None:
    job = new_job()
    store.create([job])
    if status is not JobStatus.RUNNING:
        store.claim(job.job_id)
    seen = []
    for moment in ("before_commit", "after_commit"):
        event.listen(sessions, moment, lambda _: seen.append(store.cached(job.job_id)))

    MOVES[status](store, job)

    assert seen == [None, None], "a reader has to ask the database, which answers after the commit"
    (row,) = store.get([job.job_id])
    assert row is not None
    assert (row.status, store.cached(job.job_id)) == (status, row)


def test_a_change_that_is_refused_leaves_nothing_cached(
    store: JobStore, sessions: sessionmaker[Session]
) -> None:
    def refuse(_: Session) -> None:
        raise OSError("no room")

    job = new_job()
    store.create([job])
    event.listen(sessions, "before_commit", refuse)

    with pytest.raises(OSError, match="no room"):
        store.claim(job.job_id)

    assert store.cached(job.job_id) is None
    (row,) = store.get([job.job_id])
    assert row is not None
    assert row.status is JobStatus.PENDING


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(job_store, "utc_now", lambda: moment)

    return set_to


def test_each_row_takes_the_clock_and_its_own_times_do_not_go_back_with_it(
    store: JobStore, sessions: sessionmaker[Session], set_clock: Callable[[datetime], None]
) -> None:
    now = utc_now()
    ahead, later, last = new_job(), new_job(), new_job()
    set_clock(now + timedelta(days=3))
    store.create([ahead])
    set_clock(now)
    store.create([later])
    store.claim(ahead.job_id)
    store.complete(ahead.job_id, "results.json")
    restarted = JobStore(sessions)
    assert restarted.recover(lambda job_id: False).queue == (later.job_id,)
    set_clock(now - timedelta(days=1))
    restarted.create([last])

    rows = restarted.get([ahead.job_id, later.job_id, last.job_id])
    times = [(row.created_at - now, row.updated_at - now) for row in rows if row]
    assert times == [(timedelta(days), timedelta(days)) for days in (3, 0, -1)]
    assert restarted.recover(lambda job_id: False).queue == (later.job_id, last.job_id)


def test_rows_of_one_commit_can_be_told_apart_by_their_times(
    store: JobStore, set_clock: Callable[[datetime], None]
) -> None:
    jobs = [new_job() for _ in range(5)]
    set_clock(now := utc_now())
    store.create(jobs)
    created = [row.created_at - now for row in store.get([job.job_id for job in jobs]) if row]
    assert created == [timedelta(microseconds=place) for place in range(5)]


def test_rows_that_are_no_longer_cached_are_found_in_the_table(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_store, "CACHED_ROWS", 3)
    jobs = [new_job() for _ in range(5)]
    for job in jobs:
        store.create([job])

    cached = [store.cached(job.job_id) is not None for job in jobs]
    rows = store.get([job.job_id for job in jobs])

    assert cached == [False, False, True, True, True]
    assert [row and row.job_id for row in rows] == [job.job_id for job in jobs]
