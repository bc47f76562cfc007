"""Taking over what a process that ended has left behind."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import UUID

from app.core.database_thread import DatabaseThread
from app.core.errors import StorageError
from app.models.job import JobStatus
from app.services.answer_file import new_answers
from app.services.job_store import JobStore
from app.services.queue.base import QueueService
from app.services.results_document import is_whole_results
from app.services.storage.local_storage import LocalStorage, fsync_directory
from app.services.storage.names import (
    job_of_staged_answers,
    job_of_staged_upload,
    results_key,
    staged_answers,
    video_key,
)
from app.services.video.parallel import most_unordered, usable_processors

logger = logging.getLogger(__name__)


def recover(
    database: DatabaseThread,
    store: JobStore,
    storage: LocalStorage,
    queue: QueueService,
    *,
    announced: bool = False,
) -> None:
    """Bring every unfinished job to where it can go on, and put what is pending on the queue.
    The end of the process before was `announced` if it had been asked to stop.

    Doing it twice changes nothing more. Blocks; call it while holding the database and the folder,
    and before anything is submitted.
    """
    found = database.call(
        store.recover,
        lambda job_id: has_whole_results(storage, job_id),
        lambda job_id: got_further(storage, job_id),
        announced=announced,
    )
    swept = sweep(database, store, storage)
    for job_id in found.queue:
        queue.enqueue(job_id)
    logger.info(
        "Recovered: %d pending, %d of them cut off and started again; %d completed, %d failed; "
        "%d leftover files removed",
        *(len(found.queue), found.restarted, found.completed, found.failed, swept),
    )


def has_whole_results(storage: LocalStorage, job_id: UUID) -> bool:
    """Whether they are there, to stay: a kill may have come before their name was durable."""
    try:
        path = storage.load_file(results_key(job_id))
    except StorageError:
        return False
    if not is_whole_results(path, job_id):
        return False
    fsync_directory(path.parent)
    return True


def got_further(storage: LocalStorage, job_id: UUID) -> bool:
    """Whether the last start answered more frames than can be answered beside one that kills the
    process, of a pipeline that will not be asked for them again."""
    answers = storage.staging.path(staged_answers(job_id))
    return new_answers(answers) > most_unordered(usable_processors())


def sweep(database: DatabaseThread, store: JobStore, storage: LocalStorage) -> int:
    """Empty the staging area but for the answers of jobs that go on; returns how many files went.

    An upload keeps its name there until its row is committed, and is acknowledged after that. One
    without a row never was, so the video that it may have become already goes with it; no other
    video is ever removed.
    """
    staged = [path for path in storage.staging.folder.iterdir() if path.is_file()]
    uploads = jobs_of(staged, job_of_staged_upload)
    answers = jobs_of(staged, job_of_staged_answers)
    job_ids = [*uploads, *answers]
    rows = dict(zip(job_ids, database.call(store.get, job_ids), strict=True))
    for job_id in uploads:
        if rows[job_id] is None:
            storage.delete_file(video_key(job_id))

    kept = {
        staged_answers(job_id)
        for job_id in answers
        if (row := rows[job_id]) is not None and row.status is JobStatus.PENDING
    }
    leftovers = [path for path in staged if path.name not in kept]
    for path in leftovers:
        path.unlink()
    return len(leftovers)


def jobs_of(staged: Iterable[Path], job_of: Callable[[str], UUID | None]) -> list[UUID]:
    return [job_id for path in staged if (job_id := job_of(path.name))]
