"""GET /docs: Swagger UI over the interface, made of nothing but files of this machine."""

import importlib.resources
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

from app.api_routes import openapi
from app.api_routes.stored_file import StoredFile
from app.core.errors import NotFound

ASSETS = {
    "swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "swagger-ui.css": "swagger-ui.css",
    "favicon.png": "favicon-32x32.png",
}
FOLDER = Path(str(importlib.resources.files("fastapi_swagger") / "resources"))
ONE_DAY = {"Cache-Control": "max-age=86400"}

# Its links are relative, so that it works below a proxy's path too.
PAGE = get_swagger_ui_html(
    openapi_url="openapi.json",
    title=openapi.TITLE,
    swagger_js_url="docs/swagger-ui-bundle.js",
    swagger_css_url="docs/swagger-ui.css",
    swagger_favicon_url="docs/favicon.png",
    swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": 0},
)

router = APIRouter(include_in_schema=False)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def get_docs_page() -> HTMLResponse:
    return PAGE


@router.api_route("/docs/{name}", methods=["GET", "HEAD"])
async def get_docs_asset(name: str) -> StoredFile:
    if name not in ASSETS:
        raise NotFound("The page has no such file.")
    return StoredFile(FOLDER / ASSETS[name], headers=ONE_DAY)
