"""The only reader and writer of job rows, and so the one place where a job changes its state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.core.clock import utc_now
from app.core.database import is_fatal
from app.core.errors import JobStateError
from app.models.job import Job, JobStatus
from app.services.storage.keys import results_key

JOBS = Job.__table__
INTERRUPTED = "The server ended while this job was running; it was started again."
INTERRUPTED_TWICE = (
    "The server ended twice while this job was running; the video or its pipeline may be the cause."
)


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


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done about the jobs of a process that ended; `queue` is in order of creation."""

    queue: tuple[UUID, ...]
    restarted: int
    completed: int
    failed: int


class JobStore:
    """Call every method on the database's thread.

    Rows are never counted by `rowcount`, which DuckDB does not always report: a move reads the
    row first, in the transaction that writes it.

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

    def claim(self, job_id: UUID) -> JobRecord | None:
        """pending → running. None when there is no such job, or it is not pending (any more)."""
        with self.sessions.begin() as session:
            job = session.get(Job, job_id)
            if job is None or job.status is not JobStatus.PENDING:
                return None
            return move(session, job, JobStatus.RUNNING)

    def complete(self, job_id: UUID, output_path: str) -> None:
        """running → completed."""
        self._leave_running(
            job_id, JobStatus.COMPLETED, output_path=output_path, error_message=None
        )

    def fail(self, job_id: UUID, error_message: str) -> None:
        """running → failed."""
        self._leave_running(job_id, JobStatus.FAILED, error_message=error_message)

    def release(self, job_id: UUID) -> None:
        """running → pending, for a stop that did not wait for the job's end."""
        self._leave_running(job_id, JobStatus.PENDING)

    def recover(self, has_results: Callable[[UUID], bool]) -> Recovery:
        """Judge every unfinished job of the process before this one.

        The caller holds the database file's lock, so nobody runs a job now, and a running row is
        one whose process ended. With whole results it is completed. Otherwise it is started
        again, once: the note in `error_message` tells the second time from the first, and a job
        that was cut off twice is failed, so that a video which kills the process cannot do so for
        ever.
        """
        orphans = self._unfinished(JobStatus.RUNNING)
        whole = {job.job_id for job in orphans if has_results(job.job_id)}
        restarted = failed = 0
        with self.sessions.begin() as session:
            for orphan in orphans:
                job = session.get_one(Job, orphan.job_id)
                if job.job_id in whole:
                    move(
                        session,
                        job,
                        JobStatus.COMPLETED,
                        output_path=results_key(job.job_id),
                        error_message=None,
                    )
                elif job.error_message == INTERRUPTED:
                    move(session, job, JobStatus.FAILED, error_message=INTERRUPTED_TWICE)
                    failed += 1
                else:
                    move(session, job, JobStatus.PENDING, error_message=INTERRUPTED)
                    restarted += 1
        pending = self._unfinished(JobStatus.PENDING)
        return Recovery(tuple(job.job_id for job in pending), restarted, len(whole), failed)

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

    def _leave_running(self, job_id: UUID, status: JobStatus, **changes: str | None) -> None:
        with self.sessions.begin() as session:
            job = session.get(Job, job_id)
            if job is None or job.status is not JobStatus.RUNNING:
                raise JobStateError(f"Job {job_id} is not running and cannot become {status}.")
            move(session, job, status, **changes)

    def _unfinished(self, status: JobStatus) -> list[JobRecord]:
        query = select(*JOBS.c).where(JOBS.c.status == status)
        with self.sessions() as session:
            rows = session.execute(query.order_by(JOBS.c.created_at, JOBS.c.job_id))
            return [JobRecord(*row) for row in rows]


def move(session: Session, job: Job, status: JobStatus, **changes: str | None) -> JobRecord:
    """Every change of state. `updated_at` never goes back, even when the clock is set back."""
    job.status = status
    job.updated_at = max(utc_now(), job.updated_at)
    for column, value in changes.items():
        setattr(job, column, value)
    session.flush()
    return JobRecord(*(getattr(job, column.key) for column in JOBS.c))
