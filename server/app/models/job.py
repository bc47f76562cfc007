"""The `jobs` table."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Enum, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import utc_now
from app.core.database import Base


class JobStatus(StrEnum):
    """pending → running → completed | failed; a stop or a crash takes running back to pending."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Job(Base):  # type: ignore[misc]
    """One submitted video. `input_path` and `output_path` are storage keys; times are naive UTC.

    The primary key is the only index: DuckDB turns an update of an indexed column into a delete
    and an insert, which conflicts with open readers.
    """

    __tablename__ = "jobs"

    job_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    status: Mapped[JobStatus] = mapped_column(
        Enum(
            JobStatus,
            name="job_status",
            values_callable=lambda kind: [member.value for member in kind],
        ),
        default=JobStatus.PENDING,
    )
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)
    pipeline_id: Mapped[str] = mapped_column(String)
    input_path: Mapped[str] = mapped_column(String)
    output_path: Mapped[str | None] = mapped_column(String)
    error_message: Mapped[str | None] = mapped_column(String)
