"""The bodies that the API answers with."""

from datetime import datetime
from typing import Annotated, Any, assert_never
from uuid import UUID

from pydantic import BaseModel, Field, PlainSerializer

from app.models.job import JobStatus
from app.services.job_store import JobRecord


def format_utc(moment: datetime) -> str:
    """A naive UTC time as ISO 8601 with microseconds and a Z."""
    return f"{moment.isoformat(timespec='microseconds')}Z"


UtcTime = Annotated[datetime, PlainSerializer(format_utc, return_type=str)]


class JobSubmitted(BaseModel):
    job_id: UUID


class JobStatusView(BaseModel):
    job_id: UUID
    status: JobStatus
    progress: int | float = Field(description="0, 0.5 or 1.0")
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, job: JobRecord) -> "JobStatusView":
        return cls(
            job_id=job.job_id,
            status=job.status,
            progress=progress_of(job.status),
            created_at=job.created_at,
            updated_at=job.updated_at,
        )


class FrameResult(BaseModel):
    frame_index: int
    result: dict[str, Any]


class JobResults(BaseModel):
    """Documents the stored file, which is handed out as it is."""

    job_id: UUID
    results: list[FrameResult]


class Problem(BaseModel):
    """What every error answers."""

    detail: str


def progress_of(status: JobStatus) -> int | float:
    """Coarse on purpose: how far a job is can be told from its status alone."""
    match status:
        case JobStatus.PENDING:
            return 0
        case JobStatus.RUNNING:
            return 0.5
        case JobStatus.COMPLETED | JobStatus.FAILED:
            return 1.0
        case _:
            assert_never(status)
