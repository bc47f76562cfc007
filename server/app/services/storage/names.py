"""The names of a job's files, in the storage and in the staging area."""

from uuid import UUID

PART = ".part"
"""Ends the name of what is not whole yet."""
ANSWERS = f"_answers{PART}"


def video_key(job_id: UUID) -> str:
    return f"{job_id}.mp4"


def results_key(job_id: UUID) -> str:
    return f"{job_id}_results.json"


def staged_upload(job_id: UUID) -> str:
    return f"{job_id}{PART}"


def staged_results(job_id: UUID) -> str:
    return f"{results_key(job_id)}{PART}"


def staged_answers(job_id: UUID) -> str:
    return f"{job_id}{ANSWERS}"


def job_of_staged_upload(name: str) -> UUID | None:
    """The job whose upload is staged under that name; None when it is no such name."""
    return _job_before(PART, name)


def job_of_staged_answers(name: str) -> UUID | None:
    """The job whose answers are staged under that name; None when it is no such name."""
    return _job_before(ANSWERS, name)


def _job_before(ending: str, name: str) -> UUID | None:
    try:
        return UUID(name.removesuffix(ending)) if name.endswith(ending) else None
    except ValueError:
        return None
