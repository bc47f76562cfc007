"""The page at `/`: Swagger UI over the interface, made of nothing but files of this machine."""

import importlib.resources
from importlib.metadata import version
from pathlib import Path

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

TITLE = "ForgeSyte video jobs"
VERSION = version("forgesyte-video-jobs")
DESCRIPTION = """
Upload an MP4, get a job id at once, ask for its status, fetch the results frame by frame.

Jobs run one at a time, in the order of submission. Ask for the status until it is `completed` or
`failed`: whatever `submit` has answered with 200 gets there, restarts of the server included.
There is no authentication.
"""

PAGES = ("/", "/docs")
ASSETS = {
    "/docs/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "/docs/swagger-ui.css": "swagger-ui.css",
    "/docs/favicon.png": "favicon-32x32.png",
}
ONE_DAY = {"Cache-Control": "max-age=86400"}


class DocsPage:
    """Answers for the page and its assets; all else goes on to the application.

    It stands before the routes, because it is about them and none of them. Its own links are
    relative, so that it works below a proxy's path too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._assets = Path(str(importlib.resources.files("fastapi_swagger") / "resources"))
        self._page = get_swagger_ui_html(
            openapi_url="openapi.json",
            title=TITLE,
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
            swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": 0},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) or self._app
        await answer(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return None
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in PAGES:
            return self._page
        if name := ASSETS.get(path):
            return FileResponse(self._assets / name, headers=ONE_DAY)
        return None
