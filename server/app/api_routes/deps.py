"""What routes depend on. The only reader of the application's state."""

from collections.abc import Callable, Container
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Request

from app.api_routes.upload.receiver import UploadReceiver
from app.core.batching import Batcher
from app.core.errors import CrossSite, NotFound, Unavailable
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
    cors_origins: tuple[str, ...]


async def services(request: Request) -> Services:
    """
    Raises:
        Unavailable: the application was not started, or has stopped.
    """
    return started(request.app)


def services_of(app: FastAPI) -> Services | None:
    """None before the start, and after the end."""
    found: Services | None = getattr(app.state, "services", None)
    return found


def started(app: FastAPI) -> Services:
    found = services_of(app)
    if found is None:
        raise Unavailable(
            "The application was not started: its lifespan has to run before it can answer, as "
            "uvicorn runs it, or `with TestClient(app)`; that of a mounted one does not by itself."
        )
    return found


def upload_receiver(request: Request) -> UploadReceiver:
    """
    Raises:
        Unavailable: see `services`.
        CrossSite: a browser says that a page of another website sends it, one that is not listed.
    """
    found = started(request.app)
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and not is_listed(
        request.headers.get("origin"), found.cors_origins
    ):
        raise CrossSite(
            "A page of another website has sent this; it would have to stand in "
            "FORGESYTE_CORS_ORIGINS."
        )
    return found.receiver


def allowed_origins(app: FastAPI) -> tuple[str, ...]:
    """The origins whose pages may ask, "*" for all; none before the start."""
    found = services_of(app)
    return found.cors_origins if found else ()


def pipeline_ids(app: FastAPI) -> list[str]:
    """The pipelines that there are; none before the start."""
    found = services_of(app)
    return found.pipelines.ids() if found else []


def is_listed(origin: str | None, origins: Container[str]) -> bool:
    return "*" in origins or origin in origins


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
