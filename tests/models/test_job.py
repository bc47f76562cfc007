import importlib
import pkgutil
import time
from datetime import UTC, datetime, timedelta
from unittest.mock import create_autospec
from uuid import UUID

import duckdb
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from app import models
from app.core.database import Base
from app.models.job import Job, JobStatus

COLUMNS = [
    "job_id",
    "status",
    "created_at",
    "updated_at",
    "pipeline_id",
    "input_path",
    "output_path",
    "error_message",
]


def make_job() -> Job:
    return Job(pipeline_id="ocr", input_path="video.mp4")


def test_there_is_one_table_with_exactly_the_agreed_columns() -> None:
    for module in pkgutil.walk_packages(models.__path__, "app.models."):
        importlib.import_module(module.name)
    columns = {name: [*table.columns.keys()] for name, table in Base.metadata.tables.items()}
    assert columns == {"jobs": COLUMNS}


def test_model_uses_the_shared_base() -> None:
    assert Job.metadata is Base.metadata


def test_there_are_four_statuses() -> None:
    assert [*JobStatus] == ["pending", "running", "completed", "failed"]


def test_job_can_be_added_to_a_session() -> None:
    session = create_autospec(Session, instance=True)
    job = make_job()
    session.add(job)
    session.add.assert_called_once_with(job)
    assert (job.pipeline_id, job.input_path) == ("ocr", "video.mp4")


def test_defaults_are_filled_in_when_a_row_is_written(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        job = make_job()
        session.add(job)
        session.commit()
        assert isinstance(job.job_id, UUID)
        assert job.status is JobStatus.PENDING
        assert job.output_path is None
        assert job.error_message is None


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_timestamps_are_utc_in_any_time_zone(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    with sessions() as session:
        job = make_job()
        session.add(job)
        session.commit()
        now = datetime.now(UTC).replace(tzinfo=None)
        assert abs(job.created_at - now) < timedelta(seconds=5)
        assert job.created_at.tzinfo is None
    monkeypatch.undo()
    time.tzset()


def test_update_moves_updated_at_and_leaves_created_at(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        job = make_job()
        session.add(job)
        session.commit()
        created, updated = job.created_at, job.updated_at
        job.status = JobStatus.RUNNING
        session.commit()
        assert job.created_at == created
        assert job.updated_at > updated


@pytest.mark.parametrize("status", list(JobStatus))
def test_status_survives_the_round_trip(sessions: sessionmaker[Session], status: JobStatus) -> None:
    with sessions() as session:
        job = make_job()
        job.status = status
        session.add(job)
        session.commit()
        job_id = job.job_id
    with sessions() as session:
        loaded = session.get(Job, job_id)
        assert loaded is not None
        assert loaded.status is status


def test_database_refuses_a_fifth_status(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        session.add(make_job())
        session.commit()
        with pytest.raises(DBAPIError) as refused:
            session.execute(text("UPDATE jobs SET status = 'cancelled'"))
        assert isinstance(refused.value.orig, duckdb.ConversionException)


@pytest.mark.parametrize("missing", ["pipeline_id", "input_path"])
def test_required_columns_cannot_be_null(sessions: sessionmaker[Session], missing: str) -> None:
    job = make_job()
    setattr(job, missing, None)
    with sessions() as session:
        session.add(job)
        with pytest.raises(DBAPIError):
            session.commit()


def test_job_id_is_unique(sessions: sessionmaker[Session]) -> None:
    first, second = make_job(), make_job()
    second.job_id = first.job_id = UUID(int=7)
    with sessions() as session:
        session.add(first)
        session.commit()
    with sessions() as session:
        session.add(second)
        with pytest.raises(DBAPIError):
            session.commit()
