"""GET /video/results/{job_id}"""

import asyncio

from fastapi import APIRouter

from app.api_routes import openapi
from app.api_routes.deps import JobDep, ServicesDep
from app.api_routes.schemas import JobResults
from app.api_routes.stored_file import StoredFile
from app.core.errors import FileMissing, NotFound
from app.models.job import JobStatus

router = APIRouter()


@router.head("/video/results/{job_id}", include_in_schema=False)
@router.get(
    "/video/results/{job_id}",
    summary="Fetch the results",
    response_model=JobResults,
    responses=openapi.OF_RESULTS,
)
async def get_job_results(job: JobDep, services: ServicesDep) -> StoredFile:
    """The results of a completed job, one element a frame."""
    if job.status is JobStatus.FAILED:
        raise NotFound(f"Job {job.job_id} has failed: {job.error_message}")
    if job.status is not JobStatus.COMPLETED or job.output_path is None:
        raise NotFound(f"Job {job.job_id} is {job.status}; it has no results yet.")
    try:
        path = await asyncio.get_running_loop().run_in_executor(
            services.files, services.storage.load_file, job.output_path
        )
    except FileMissing as error:
        raise NotFound(f"The results of job {job.job_id} are gone from the storage.") from error
    return StoredFile(path, media_type="application/json")
