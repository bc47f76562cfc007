"""From errors to HTTP: the one place."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from app.api_routes.refusal import Body, Refusal
from app.core.errors import (
    DatabaseError,
    InvalidUpload,
    NotFound,
    RequestError,
    StorageFull,
    Unavailable,
    UnknownPipeline,
    UploadStalled,
    UploadTooLarge,
)

logger = logging.getLogger(__name__)

STATUSES: Mapping[type[RequestError], HTTPStatus] = {
    InvalidUpload: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    UploadStalled: HTTPStatus.REQUEST_TIMEOUT,
    UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownPipeline: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
}


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Exception, answer)
    app.add_exception_handler(RequestError, answer)
    app.add_exception_handler(DatabaseError, answer)
    app.add_exception_handler(RequestValidationError, answer)


async def answer(request: Request, error: Exception) -> JSONResponse:
    """An error as `{"detail": …}`. What is not the caller's doing is logged with its traceback."""
    if isinstance(error, RequestError):
        status, detail = STATUSES[type(error)], str(error)
    elif isinstance(error, RequestValidationError):
        status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, explain_fields(error)
    else:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        status, detail = explain_failure(error)
    body: Body | None = getattr(request.state, "body", None)
    if body is None or body.ended:
        return JSONResponse({"detail": detail}, status)
    return Refusal({"detail": detail}, status, body)


def explain_fields(error: RequestValidationError) -> str:
    """Which fields are wrong and why, without repeating what was sent."""
    return "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())


def explain_failure(error: Exception) -> tuple[HTTPStatus, str]:
    if isinstance(error, DatabaseError):
        return HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot take this now; try again later."
    return HTTPStatus.INTERNAL_SERVER_ERROR, "The server has failed; its log says why."
