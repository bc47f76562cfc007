"""GET / and /page/…: the page for people, made of nothing but files of this machine."""

import importlib.resources
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.api_routes.deps import pipeline_ids
from app.api_routes.stored_file import StoredFile

FOLDER = Path(str(importlib.resources.files("app") / "page"))
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}
FILES = {
    path.relative_to(FOLDER).as_posix(): path
    for path in FOLDER.rglob("*")
    if path.suffix in TYPES and path.is_file()
}
HEADERS = {
    # What a pipeline answers is shown on this page, and pipelines read what anybody has filmed.
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; worker-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked for anew each time, lest modules of two versions meet
}

INDEX = (FOLDER / "index.html").read_text(encoding="utf-8")
PIPELINES = "<!-- pipelines -->"
WHAT_IT_FINDS = {
    "barcodes": "QR and bar codes",
    "objects": "people, cars, animals",
    "ocr": "text",
    "quality": "sharpness, brightness",
    "shots": "where the picture cuts",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def get_page(request: Request) -> HTMLResponse:
    options = choices(pipeline_ids(request.app))
    return HTMLResponse(INDEX.replace(PIPELINES, options), headers=HEADERS)


def handing_out(path: Path) -> Callable[[], Awaitable[StoredFile]]:
    async def get_page_file() -> StoredFile:
        return StoredFile(path, media_type=TYPES[path.suffix], headers=HEADERS)

    return get_page_file


for name, path in FILES.items():
    router.add_api_route(f"/page/{name}", handing_out(path), methods=["GET", "HEAD"])


def choices(ids: Iterable[str]) -> str:
    """The options of a choice among pipelines; `ocr` is the one that is chosen at first."""
    return "".join(
        f'<option value="{escape(name)}"{" selected" if name == "ocr" else ""}>'
        f"{escape(name)}{what_it_finds(name)}</option>"
        for name in ids
    )


def what_it_finds(name: str) -> str:
    return f": {WHAT_IT_FINDS[name]}" if name in WHAT_IT_FINDS else ""
