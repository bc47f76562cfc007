"""The only reader and writer of job rows, and so the one place where a job changes its state."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.attributes import flag_modified

from app.core.clock import utc_now
from app.core.database import database_errors
from app.core.errors import DatabaseBroken, DatabaseError, JobStateError
from app.core.machine import boot_id
from app.models.job import Job, JobStatus
from app.services.job_starts import MAX_CRASHES, MAX_STARTS, Starts
from app.services.storage.names import results_key

JOBS = Job.__table__
COLUMNS = ", ".join(column.name for column in JOBS.c)
CACHED_ROWS = 10_000
INTERRUPTED_TWICE = (
    "The server ended twice while this job was running; the video or its pipeline may be the cause."
)
STARTED_TOO_OFTEN = (
    f"The job was started {MAX_STARTS} times and never came to its end; the video or its pipeline "
    "may take too long."
)


@dataclass(frozen=True, slots=True)
class NewJob:
    job_id: UUID
    pipeline_id: str
    input_path: str


class JobRecord(NamedTuple):
    """A row as it was when it was read or written."""

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
    """What was done about the jobs of a process that ended; `queue` is in the order of commits."""

    queue: tuple[UUID, ...]
    restarted: int
    completed: int
    failed: int


class JobStore:
    """Call every method but `cached` on the database's thread.

    Rows that are read or inserted for clients go through DuckDB's own SQL: its dialect compiles
    every SQLAlchemy statement anew, which would cost more than running it.

    Rows are never counted by `rowcount`, which DuckDB does not always report: a transition reads
    the row first, in the transaction that writes it.

    Raises, from every method:
        sqlalchemy.exc.SQLAlchemyError: the database refused; nothing was changed. It leaves the
            database's thread as a DatabaseError.
    """

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.sessions = sessions
        self._boot = boot_id()
        self._rows: dict[UUID, JobRecord] = {}

    def cached(self, job_id: UUID) -> JobRecord | None:
        """The row, when it is among those used last; the one method for any thread.

        It is what the database says: nobody else writes the table, and a row that is about to
        change is forgotten until the change is committed.
        """
        return self._rows.get(job_id)

    def create(self, jobs: Sequence[NewJob]) -> list[DatabaseError | None]:
        """Insert pending jobs with one commit. When that fails, each is tried by itself, so that
        one bad row does not take the others with it. Returns for each None, or why it is not
        there."""
        try:
            with database_errors():
                self._insert(jobs)
        except DatabaseBroken:
            raise
        except DatabaseError as error:
            if len(jobs) == 1:
                return [error]
            return [outcome for job in jobs for outcome in self.create([job])]
        return [None] * len(jobs)

    def get(self, job_ids: Sequence[UUID]) -> list[JobRecord | None]:
        """The rows of the ids, in their order; None where there is none."""
        wanted = tuple(set(job_ids))
        if not wanted:
            return []
        marks = ", ".join("?" * len(wanted))
        with self.sessions() as session:
            rows = session.connection().exec_driver_sql(
                f"SELECT {COLUMNS} FROM jobs WHERE job_id IN ({marks})", wanted
            )
            found = {job.job_id: job for job in map(record_of, rows)}
        for job in found.values():
            self._cache(job)
        return [found.get(job_id) for job_id in job_ids]

    def claim(self, job_id: UUID) -> JobRecord | None:
        """pending → running, and one start more. None when there is no such job, or it is not
        pending (any more)."""
        with self._changing(job_id) as job:
            if job is None or job.status is not JobStatus.PENDING:
                return None
            starts = Starts.of(job.error_message).begun(self._boot)
            transition(job, JobStatus.RUNNING, error_message=str(starts))
        return self._rows[job_id]

    def complete(self, job_id: UUID, output_path: str) -> None:
        """running → completed."""
        self._leave_running(
            job_id, JobStatus.COMPLETED, output_path=output_path, error_message=None
        )

    def fail(self, job_id: UUID, error_message: str) -> None:
        """running → failed."""
        self._leave_running(job_id, JobStatus.FAILED, error_message=error_message)

    def release(self, job_id: UUID) -> None:
        """running → pending, for a stop that did not wait for the job's end; failed, if that was
        its last start. Nothing changes when the end came first."""
        with self._changing(job_id) as job:
            if job is not None and job.status is JobStatus.RUNNING:
                put_back(job, Starts.of(job.error_message).stopped())

    def recover(
        self,
        has_results: Callable[[UUID], bool],
        got_further: Callable[[UUID], bool] = lambda job_id: False,
        *,
        announced: bool = False,
    ) -> Recovery:
        """Judge every unfinished job of the process before this one.

        The caller holds the database file's lock, so nobody runs a job now, and a running row is
        one whose process ended. With whole results it is completed. Otherwise it is put back, and
        the end is counted as a crash unless it was `announced` or the machine has been started
        since. Nor does another crash count of a start that got further than the one before, and
        will not have to do that again.
        """
        restarted = completed = failed = 0
        for orphan in self._unfinished(JobStatus.RUNNING):
            whole = has_results(orphan)
            with self._changing(orphan) as job:
                assert job is not None
                if whole:
                    key = results_key(job.job_id)
                    transition(job, JobStatus.COMPLETED, output_path=key, error_message=None)
                    completed += 1
                    continue
                starts = Starts.of(job.error_message)
                blameless = announced or starts.boot not in ("", self._boot)
                if blameless or (starts.crashed and got_further(orphan)):
                    put_back(job, starts.stopped())
                else:
                    put_back(job, starts.crashed_again())
                restarted += job.status is JobStatus.PENDING
                failed += job.status is JobStatus.FAILED
        pending = self._unfinished(JobStatus.PENDING)
        return Recovery(tuple(pending), restarted, completed, failed)

    def _insert(self, jobs: Sequence[NewJob]) -> None:
        now = utc_now()
        records = [
            JobRecord(
                job_id=job.job_id,
                status=JobStatus.PENDING,
                # Of one commit, each is a microsecond later, so that times tell the order.
                created_at=(instant := now + timedelta(microseconds=place)),
                updated_at=instant,
                pipeline_id=job.pipeline_id,
                input_path=job.input_path,
                output_path=None,
                error_message=None,
            )
            for place, job in enumerate(jobs)
        ]
        # DuckDB plans a statement for each row of an executemany, but one for all rows of VALUES.
        row = f"({', '.join('?' * len(JOBS.c))})"
        with self.sessions.begin() as session:
            session.connection().exec_driver_sql(
                f"INSERT INTO jobs ({COLUMNS}) VALUES {', '.join([row] * len(records))}",
                tuple(value for record in records for value in record),
            )
        for record in records:
            self._cache(record)

    def _leave_running(self, job_id: UUID, status: JobStatus, **changes: str | None) -> None:
        with self._changing(job_id) as job:
            if job is None or job.status is not JobStatus.RUNNING:
                raise JobStateError(f"Job {job_id} is not running and cannot become {status}.")
            transition(job, status, **changes)

    @contextmanager
    def _changing(self, job_id: UUID) -> Iterator[Job | None]:
        """The row in a transaction that ends with the block."""
        self._rows.pop(job_id, None)
        with self.sessions.begin() as session:
            job = session.get(Job, job_id)
            yield job
            session.flush()
            changed = job and record_of(getattr(job, column.key) for column in JOBS.c)
        if changed:
            self._cache(changed)

    def _cache(self, job: JobRecord) -> None:
        self._rows.pop(job.job_id, None)
        self._rows[job.job_id] = job
        if len(self._rows) > CACHED_ROWS:
            del self._rows[next(iter(self._rows))]

    def _unfinished(self, status: JobStatus) -> list[UUID]:
        """In the order of the commits, which is that of DuckDB's rowid: an update of a column that
        is not indexed leaves it, and so does the end of the process."""
        query = "SELECT job_id FROM jobs WHERE status = ? ORDER BY rowid"
        with self.sessions() as session:
            rows = session.connection().exec_driver_sql(query, (status,))
            return list(rows.yield_per(1000).scalars())


def record_of(values: Iterable[Any]) -> JobRecord:
    """A record of the values of a row, in the order of COLUMNS."""
    job = JobRecord(*values)
    return job._replace(status=JobStatus(job.status))


def put_back(job: Job, starts: Starts) -> None:
    """running → pending, or failed when it was started often enough: a video that kills the
    process, or never comes to an end, cannot do so for ever."""
    if starts.crashed >= MAX_CRASHES:
        transition(job, JobStatus.FAILED, error_message=INTERRUPTED_TWICE)
    elif starts.started >= MAX_STARTS:
        transition(job, JobStatus.FAILED, error_message=STARTED_TOO_OFTEN)
    else:
        transition(job, JobStatus.PENDING, error_message=str(starts))


def transition(job: Job, status: JobStatus, **changes: str | None) -> None:
    """Every change of state. A row's times never go back, even when the clock is set back."""
    job.status = status
    job.updated_at = max(utc_now(), job.created_at, job.updated_at)
    flag_modified(job, "updated_at")  # else the column's own default would replace an equal time
    for column, value in changes.items():
        setattr(job, column, value)
