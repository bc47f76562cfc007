"""From errors to HTTP: the one place."""

import logging
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.routing import Match

from app.api_routes.upload.early_answer import Body, Refusal
from app.core.errors import (
    CrossSite,
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
    CrossSite: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    UploadStalled: HTTPStatus.REQUEST_TIMEOUT,
    UploadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnknownPipeline: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
}

NO_SUCH_PATH = (
    "There is nothing at this path. The calls are POST /video/submit, GET /video/status/{job_id} "
    "and GET /video/results/{job_id}, without a slash at the end."
)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Exception, answer)
    app.add_exception_handler(RequestError, answer)
    app.add_exception_handler(DatabaseError, answer)
    app.add_exception_handler(RequestValidationError, answer)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, answer_no_path)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, answer_other_method)


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


async def answer_no_path(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": NO_SUCH_PATH}, HTTPStatus.NOT_FOUND)


async def answer_other_method(request: Request, error: Exception) -> JSONResponse:
    """The router knows of one route's methods only, and a path may have several routes."""
    allowed = ", ".join(method for method in HTTPMethod if is_served(request, method))
    return JSONResponse(
        {"detail": f"This path takes {allowed}."},
        HTTPStatus.METHOD_NOT_ALLOWED,
        headers={"Allow": allowed},
    )


def is_served(request: Request, method: HTTPMethod) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def explain_fields(error: RequestValidationError) -> str:
    """Which fields are wrong and why, without repeating what was sent."""
    return "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())


def explain_failure(error: Exception) -> tuple[HTTPStatus, str]:
    if isinstance(error, DatabaseError):
        return HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot take this now; try again later."
    return HTTPStatus.INTERNAL_SERVER_ERROR, "The server has failed; its log says why."
