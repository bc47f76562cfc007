"""What routes depend on. The only reader of the application's state."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from app.api_routes.upload import UploadReceiver
from app.core.grouping import Grouped
from app.services.job_store import JobRecord, NewJob
from app.services.pipelines.registry import PipelineRegistry
from app.services.storage.base import StorageService


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that routes use, built by the application's lifespan."""

    receiver: UploadReceiver
    submit: Grouped[NewJob, None]
    find: Grouped[UUID, JobRecord | None]
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
