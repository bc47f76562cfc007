"""The class of a route whose form has one file in it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from app.api_routes.upload.early_answer import Body
from app.api_routes.upload.receiver import UploadReceiver
from app.api_routes.upload.staged_file import StagedFile
from app.core.errors import RequestError

T = TypeVar("T")

logger = logging.getLogger(__name__)


def upload_route(receiver_of: Callable[[Request], UploadReceiver]) -> type[APIRoute]:
    """A route class whose forms are received by `receiver_of(request)`.

    The form is read before FastAPI's handler is called, because in there every error that is not
    an HTTPException becomes a 400. From then on the request goes on to its end, even when it is
    cancelled. `request.state.body` knows whether all of the body was read.
    """

    class UploadRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def receive_then_handle(request: Request) -> Response:
                request.state.body = Body(request.receive)
                request = Request(request.scope, request.state.body)
                receiver = receiver_of(request)
                request.state.staged_file = file = receiver.stage()
                try:
                    form = await receiver.receive(request, file)
                except BaseException:
                    await to_the_end(file.discard())
                    raise
                return await to_the_end(handle_then_discard(RequestWithForm(request, form), file))

            async def handle_then_discard(request: Request, file: StagedFile) -> Response:
                try:
                    response = await handle(request)
                except Exception:
                    try:
                        await file.discard()
                    except RequestError:
                        logger.exception("The rest of an upload cannot be removed")
                    raise
                await file.discard()
                return response

            return receive_then_handle

    return UploadRoute


class RequestWithForm(Request):
    """A request whose form has been read. FastAPI takes it from here, and closes it."""

    def __init__(self, request: Request, form: FormData) -> None:
        super().__init__(request.scope, request.receive)
        self._received_form = form

    async def form(self, **limits: float) -> FormData:  # type: ignore[override]
        return self._received_form


async def staged_file(request: Request) -> StagedFile:
    """The file of a request that an `upload_route` has received."""
    file: StagedFile = request.state.staged_file
    return file


StagedFileDep = Annotated[StagedFile, Depends(staged_file)]


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, which goes on, and is waited for, when the caller is cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
