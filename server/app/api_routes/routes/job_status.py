"""GET /video/status/{job_id}"""

from fastapi import APIRouter

from app.api_routes import openapi
from app.api_routes.deps import JobDep
from app.api_routes.schemas import JobStatusView

router = APIRouter()


@router.head("/video/status/{job_id}", include_in_schema=False)
@router.get("/video/status/{job_id}", summary="Ask how far a job is", responses=openapi.OF_STATUS)
async def get_job_status(job: JobDep) -> JobStatusView:
    """How far a job is: 0 while pending, 0.5 while running, 1.0 when completed or failed."""
    return JobStatusView.of(job)
