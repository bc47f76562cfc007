"""`python -m benchmarks.apps NAME`: the server, or a simpler one to compare it with.

Each is run with the same options and watched by the same StallMeter.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import aiofiles
import uvicorn
from fastapi import FastAPI, Form, Request, UploadFile
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api_routes.schemas import JobStatusView, JobSubmitted
from app.core.clock import utc_now
from app.models.job import JobStatus
from app.serving import OPTIONS

STALL_PATH = "/longest-stall"
_BEAT_SECONDS = 0.005
_COPY_BYTES = 1024 * 1024


class StallMeter:
    """Answers STALL_PATH with the longest time, in seconds since it was last asked, that the
    event loop was late for something due every 5 ms."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._longest = 0.0
        self._beating: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        if scope.get("path") != STALL_PATH:
            await self._app(scope, receive, send)
            return
        longest, self._longest = self._longest, 0.0
        await JSONResponse(longest)(scope, receive, send)

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due = now() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            self._longest = max(self._longest, now() - due)


def ours() -> ASGIApp:
    from app.main import app

    return app


def textbook() -> ASGIApp:
    """FastAPI receives the whole form into the system's temporary folder, and the route copies the
    file from there; nothing is flushed to disk."""
    app = FastAPI()
    folder = Path(os.environ["FORGESYTE_DATA_DIR"], "video_jobs")
    folder.mkdir(parents=True)

    @app.post("/video/submit")
    async def submit(file: UploadFile, pipeline_id: Annotated[str, Form()]) -> dict[str, str]:
        job_id = str(uuid4())
        async with aiofiles.open(folder / f"{job_id}.mp4", "wb") as video:
            while piece := await file.read(_COPY_BYTES):
                await video.write(piece)
        return {"job_id": job_id}

    return app


def discarding() -> ASGIApp:
    """The route reads the body and throws it away: the least that receiving can cost."""
    app = FastAPI()

    @app.post("/video/submit")
    async def submit(request: Request) -> dict[str, str]:
        async for _ in request.stream():
            pass
        return {}

    return app


def dictionary() -> ASGIApp:
    """Jobs in a dict, and nothing flushed to disk: the least that submits and polls can cost
    behind FastAPI."""
    app = FastAPI()
    folder = Path(os.environ["FORGESYTE_DATA_DIR"], "video_jobs")
    folder.mkdir(parents=True)
    jobs: dict[UUID, JobStatusView] = {}

    @app.post("/video/submit")
    async def submit(file: UploadFile, pipeline_id: Annotated[str, Form()]) -> JobSubmitted:
        job_id, now = uuid4(), utc_now()
        (folder / f"{job_id}.mp4").write_bytes(await file.read())
        jobs[job_id] = JobStatusView(
            job_id=job_id,
            status=JobStatus.PENDING,
            progress=0,
            created_at=now,
            updated_at=now,
        )
        return JobSubmitted(job_id=job_id)

    @app.get("/video/status/{job_id}")
    async def get_status(job_id: UUID) -> JobStatusView:
        return jobs[job_id]

    return app


APPS = {app.__name__: app for app in (ours, textbook, discarding, dictionary)}


if __name__ == "__main__":
    uvicorn.run(
        StallMeter(APPS[sys.argv[1]]()),
        host=os.environ["FORGESYTE_HOST"],
        port=int(os.environ["FORGESYTE_PORT"]),
        **OPTIONS,
    )
