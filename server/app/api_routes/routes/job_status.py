"""GET /video/status/{job_id}"""

from uuid import UUID

from fastapi import APIRouter

from app.api_routes.deps import ServicesDep
from app.api_routes.schemas import JobStatusView, Problem
from app.core.errors import NotFound

router = APIRouter()


@router.get("/video/status/{job_id}", responses={404: {"model": Problem}})
async def get_job_status(job_id: UUID, services: ServicesDep) -> JobStatusView:
    """How far a job is: 0 while pending, 0.5 while running, 1.0 when completed or failed."""
    job = await services.find(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return JobStatusView.of(job)
