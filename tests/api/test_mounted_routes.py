"""Three routes have to do with jobs; whatever else is mounted is a page or a file without them."""

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from tests.api.conftest import MakeJob

OF_JOBS = {
    "/video/submit": {"POST"},
    "/video/status/{job_id}": {"GET", "HEAD"},
    "/video/results/{job_id}": {"GET", "HEAD"},
}
Found = Callable[[], set[str]]
PAGE_OR_FILE = re.compile(r"text/(html|css|javascript)\b|(image|font)/|application/javascript\b")


def strange_routes(app: FastAPI, client: TestClient, job_id: str) -> Iterator[str]:
    """What is mounted beside the routes of jobs and gives one away, or may."""
    for context in iter_route_contexts(app.routes):
        path, route = str(context.path), context.original_route
        methods = getattr(context, "methods", None) or set()
        if path in OF_JOBS and methods and methods <= OF_JOBS[path]:
            fine = context.endpoint.__module__.startswith("app.api_routes.routes.")
        elif methods and methods <= {"GET", "HEAD"}:
            answer = client.get(re.sub("{[^}]*}", job_id, path))
            fine = job_id not in answer.text and (
                (answer.status_code == 404 and hands_out_files(context.endpoint))
                or bool(PAGE_OR_FILE.match(answer.headers["content-type"]))
                or path == app.openapi_url
            )
        else:
            fine = isinstance(route, Mount) and isinstance(route.app, StaticFiles)
        if not fine:
            yield path


def hands_out_files(endpoint: Any) -> bool:
    return bool(inspect.get_annotations(endpoint, eval_str=True).get("return") is FileResponse)


@pytest.fixture
def found(app: FastAPI, client: TestClient, make_job: MakeJob) -> Found:
    app.state.job_id = job_id = str(make_job())
    return lambda: {*strange_routes(app, client, job_id)}


def test_there_are_three_routes_of_jobs_and_nothing_else_tells_of_them(
    app: FastAPI, found: Found
) -> None:
    assert found() == set()
    assert {*OF_JOBS} <= {context.path for context in iter_route_contexts(app.routes)}


def answer() -> dict[str, int]:
    return {}


def page(request: Request) -> HTMLResponse:
    return HTMLResponse("<p>Videos</p>")


def every_job(request: Request) -> HTMLResponse:
    return HTMLResponse(f"<p>{request.app.state.job_id}</p>")


@pytest.mark.parametrize(
    ("path", "add"),
    [
        ("/metrics", lambda app, path: app.get(path, include_in_schema=False)(answer)),
        ("/health", lambda app, path: app.add_route(path, lambda _: PlainTextResponse("well"))),
        ("/video/list", lambda app, path: app.add_route(path, every_job)),
        ("/video/{job_id}", lambda app, path: app.delete(path)(answer)),
        ("/video/status/{job_id}/frames", lambda app, path: app.get(path)(answer)),
        ("/video/results/{job_id}", lambda app, path: app.get(path)(answer)),
        ("/v2", lambda app, path: app.mount(path, FastAPI())),
        ("/feed", lambda app, path: app.add_api_websocket_route(path, answer)),
    ],
)
def test_another_route_is_found(
    app: FastAPI, found: Found, path: str, add: Callable[[FastAPI, str], Any]
) -> None:
    add(app, path)
    assert found() == {path}


def test_pages_and_files_may_be_mounted(app: FastAPI, found: Found, tmp_path: Path) -> None:
    app.add_route("/welcome", page)
    app.mount("/static", StaticFiles(directory=tmp_path))
    assert found() == set()
