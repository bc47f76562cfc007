"""The store of job rows, where the database refuses."""

from typing import Any
from uuid import uuid4

import duckdb
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.models.job import JobStatus
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
    assert store.recall(job.job_id) is None
    assert store.get([job.job_id]) == [None]
    assert store.create([job]) == [None]
    (record,) = store.get([job.job_id])
    assert record is not None
    assert record.status is JobStatus.PENDING
