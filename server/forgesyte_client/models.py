"""What the server answers, as types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self in (JobStatus.COMPLETED, JobStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """`progress` is 0, 0.5 or 1; the times are in UTC."""

    job_id: str
    status: JobStatus
    progress: float
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            job_id=body["job_id"],
            status=JobStatus(body["status"]),
            progress=body["progress"],
            created_at=datetime.fromisoformat(body["created_at"]),
            updated_at=datetime.fromisoformat(body["updated_at"]),
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """What the pipeline found in one frame, counted from 0."""

    frame_index: int
    result: dict[str, Any]
