"""The only reader and writer of job rows, and so the one place where a job changes its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.core.clock import utc_now
from app.core.database import is_fatal
from app.models.job import Job, JobStatus

JOBS = Job.__table__


@dataclass(frozen=True, slots=True)
class NewJob:
    job_id: UUID
    pipeline_id: str
    input_path: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A row as it was when it was read."""

    job_id: UUID
    status: JobStatus
    created_at: datetime
    updated_at: datetime
    pipeline_id: str
    input_path: str
    output_path: str | None
    error_message: str | None


class JobStore:
    """Call every method on the database's thread.

    Raises, from every method:
        sqlalchemy.exc.SQLAlchemyError: the database refused; nothing was changed.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.sessions = sessions
        self._newest = datetime.min

    def create(self, jobs: Sequence[NewJob]) -> list[SQLAlchemyError | None]:
        """Insert pending jobs with one commit. When that fails, each is tried by itself, so that
        one bad row does not take the others with it. Returns for each None, or why it is not
        there."""
        try:
            self._insert(jobs)
        except SQLAlchemyError as error:
            if is_fatal(error):
                raise
            if len(jobs) == 1:
                return [error]
            return [outcome for job in jobs for outcome in self.create([job])]
        return [None] * len(jobs)

    def get(self, job_ids: Sequence[UUID]) -> list[JobRecord | None]:
        """The rows of the ids, in their order; None where there is none."""
        with self.sessions() as session:
            rows = session.execute(select(*JOBS.c).where(JOBS.c.job_id.in_(set(job_ids))))
            found = {row.job_id: JobRecord(*row) for row in rows}
        return [found.get(job_id) for job_id in job_ids]

    def _insert(self, jobs: Sequence[NewJob]) -> None:
        rows = [
            {
                "job_id": job.job_id,
                "status": JobStatus.PENDING,
                "created_at": (now := self._next_instant()),
                "updated_at": now,
                "pipeline_id": job.pipeline_id,
                "input_path": job.input_path,
            }
            for job in jobs
        ]
        with self.sessions.begin() as session:
            session.execute(insert(JOBS), rows)

    def _next_instant(self) -> datetime:
        """Now, but later than every time given before: the order of created_at is the order of
        the commits, also when the clock is set back."""
        self._newest = max(utc_now(), self._newest + timedelta(microseconds=1))
        return self._newest
