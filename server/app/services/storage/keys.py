"""The storage keys of a job's files."""

from uuid import UUID


def video_key(job_id: UUID) -> str:
    return f"{job_id}.mp4"


def results_key(job_id: UUID) -> str:
    return f"{job_id}_results.json"
