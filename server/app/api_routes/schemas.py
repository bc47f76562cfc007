"""The bodies that the API answers with."""

from datetime import datetime
from typing import Annotated, Any, assert_never
from uuid import UUID

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from app.models.job import JobStatus
from app.services.job_store import JobRecord


def format_utc(moment: datetime) -> str:
    """A naive UTC time as ISO 8601 with microseconds and a Z."""
    return f"{moment.isoformat(timespec='microseconds')}Z"


EXAMPLE_ID = "66e1ee30-a53d-4190-b068-ec8821ddcf68"

JobId = Annotated[UUID, Field(examples=[EXAMPLE_ID])]
UtcTime = Annotated[
    datetime,
    PlainSerializer(format_utc, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-22T10:29:48.009359Z"]}
    ),
]
Progress = Annotated[
    int | float,
    WithJsonSchema({"type": "number", "enum": [0, 0.5, 1.0], "examples": [0.5]}),
]


class JobSubmitted(BaseModel):
    job_id: JobId


class JobStatusView(BaseModel):
    job_id: JobId
    status: Annotated[JobStatus, Field(examples=[JobStatus.RUNNING])]
    progress: Progress
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
    """What the pipeline answered for one frame, counted from 0."""

    frame_index: int
    result: dict[str, Any] = Field(
        examples=[
            {
                "text": "FORGESYTE 2048",
                "blocks": [
                    {
                        "text": "FORGESYTE 2048",
                        "confidence": 0.9826,
                        "bbox": {"x": 11, "y": 23, "width": 297, "height": 31},
                        "points": [
                            {"x": 11, "y": 23},
                            {"x": 308, "y": 23},
                            {"x": 308, "y": 54},
                            {"x": 11, "y": 54},
                        ],
                    }
                ],
            }
        ]
    )


class JobResults(BaseModel):
    """One element for each frame, in order."""

    job_id: JobId
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
