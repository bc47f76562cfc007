"""What routes depend on. The only reader of the application's state."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.api_routes.upload import UploadReceiver
from app.core.batching import Batcher
from app.core.errors import NotFound
from app.services.job_store import JobRecord, NewJob
from app.services.pipelines.registry import PipelineRegistry
from app.services.storage.base import StorageService


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that routes use, built by the application's lifespan."""

    receiver: UploadReceiver
    submit: Batcher[NewJob, None]
    cached: Callable[[UUID], JobRecord | None]
    find: Batcher[UUID, JobRecord | None]
    storage: StorageService
    pipelines: PipelineRegistry
    files: Executor


async def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def upload_receiver(request: Request) -> UploadReceiver:
    found: Services = request.app.state.services
    return found.receiver


ServicesDep = Annotated[Services, Depends(services)]


async def existing_job(job_id: UUID, services: ServicesDep) -> JobRecord:
    """The job that the path names.

    Raises:
        NotFound: there is none.
    """
    job = services.cached(job_id) or await services.find(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


JobDep = Annotated[JobRecord, Depends(existing_job)]
