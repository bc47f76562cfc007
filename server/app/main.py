"""The application: `uvicorn app.main:app`, or `create_app` for one of your own."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api_routes import openapi
from app.api_routes.cross_origin import CrossOrigin
from app.api_routes.deps import Services
from app.api_routes.error_handlers import add_error_handlers
from app.api_routes.routes import docs_page, job_results, job_status, job_submit, page
from app.api_routes.upload.receiver import UploadReceiver
from app.core.batching import Batcher
from app.core.errors import StartupError
from app.core.logs import configure_logging
from app.core.settings import Settings
from app.workers.open_files import log_shortage_in_one_line, raise_open_file_limit
from app.workers.runtime import Runtime
from app.workers.shutdown import Shutdown

FILE_THREADS = 8


def create_app(settings: Settings | None = None) -> FastAPI:
    """The whole server as an ASGI application, with a worker and a database of its own.

    Both start and stop with the application's lifespan; one that cannot start raises StartupError
    there. Without `settings` they are read from the environment when it starts. Two applications
    need two data folders.
    """
    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
        description=openapi.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan_of(settings),
    )
    app.add_middleware(CrossOrigin)
    app.add_middleware(OneLineStartupFailure)
    add_error_handlers(app)
    for routes in (job_submit, job_status, job_results):
        app.include_router(routes.router, tags=["video jobs"])
    app.include_router(page.router)
    app.include_router(docs_page.router)
    return app


def lifespan_of(
    settings: Settings | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configured = settings or Settings.load()
        configure_logging(configured.log_level)
        raise_open_file_limit()
        log_shortage_in_one_line(asyncio.get_running_loop())
        runtime = Runtime(configured)
        with ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="files") as files:
            app.state.runtime = runtime
            app.state.services = build_services(runtime, files)
            shutdown = Shutdown(runtime, begin=app.state.services.receiver.stop)
            with shutdown.wrapping_signal_handlers():
                await runtime.start()
                try:
                    with started_objects_left_alone():
                        yield
                finally:
                    await shutdown.finish()
                    app.state.services = None

    return lifespan


@contextmanager
def started_objects_left_alone() -> Iterator[None]:
    """What the start has built stays: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def build_services(runtime: Runtime, files: ThreadPoolExecutor) -> Services:
    """What the routes need of a runtime."""
    return Services(
        receiver=UploadReceiver(
            runtime.storage.staging.folder,
            files,
            max_file_bytes=runtime.settings.max_upload_bytes,
            idle_seconds=runtime.settings.upload_idle_seconds,
        ),
        submit=Batcher(lambda jobs: runtime.database.run(runtime.admit, jobs)),
        cached=runtime.store.cached,
        find=Batcher(lambda job_ids: runtime.database.run(runtime.store.get, job_ids)),
        storage=runtime.storage,
        pipelines=runtime.pipelines,
        files=files,
        cors_origins=runtime.settings.cors_origins,
    )


class OneLineStartupFailure:
    """Replaces the traceback that a failed start prints by the error's own line, when it is one
    that we raised for a person to read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_line(message: Message) -> None:
            error = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(error, StartupError):
                message = {**message, "message": str(error)}
            await send(message)

        await self._app(scope, receive, send_line)


app = create_app()
