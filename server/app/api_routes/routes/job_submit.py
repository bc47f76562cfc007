"""POST /video/submit"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile

from app.api_routes import openapi
from app.api_routes.deps import ServicesDep, upload_receiver
from app.api_routes.schemas import JobSubmitted
from app.api_routes.upload.route import StagedFileDep, upload_route
from app.services.job_store import NewJob
from app.services.storage.names import video_key

router = APIRouter(route_class=upload_route(upload_receiver))


@router.post("/video/submit", summary="Submit a video", responses=openapi.OF_SUBMIT)
async def submit_job(
    file: UploadFile,  # demanded and described by FastAPI; its bytes are in `staged`
    pipeline_id: Annotated[str, Form(examples=["ocr"])],
    staged: StagedFileDep,
    services: ServicesDep,
) -> JobSubmitted:
    """Upload an MP4 and name the pipeline to run over it; the answer is the job's id."""
    services.pipelines.require(pipeline_id)
    job = NewJob(job_id=staged.id, pipeline_id=pipeline_id, input_path=video_key(staged.id))
    # First the durable file, then the row; the queue comes with the row. The temporary name, by
    # which a start tells what was never acknowledged, stays until the row is there and is gone
    # before the answer.
    await staged.commit(services.storage, job.input_path)
    try:
        await services.submit(job)
    except Exception:
        await asyncio.get_running_loop().run_in_executor(
            services.files, services.storage.delete_file, job.input_path
        )
        raise
    return JobSubmitted(job_id=job.job_id)
