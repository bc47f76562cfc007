"""Handing out a file of the disk: whole, a part of it, compressed, or not at all when the client
has it already."""

import asyncio
import os
import re
import zlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

PIECE_BYTES = 256 * 1024  # of the file, compressed in one trip to a thread
MIN_BYTES = 1024  # less would not shrink by much
LEVEL = 1  # the fastest; results repeat themselves so much that higher ones hardly gain
GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?P<quality>[\d.]+)\s*)?(?:,|$)", re.IGNORECASE)


class StoredFile(FileResponse):
    """The answer to GET and HEAD for the file at `path`, as RFC 9110 has it.

    A client that accepts gzip gets the whole file compressed piece by piece, under a weak ETag; a
    part is always one of the file itself, and so is the length that HEAD tells.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.headers.add_vary_header("Accept-Encoding")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.stat_result is None:
            self.stat_result = await anyio.to_thread.run_sync(os.stat, self.path)
            self.set_stat_headers(self.stat_result)
        request = Headers(scope=scope)
        if not is_range(scope["method"], request.get("range", "")):
            scope = without_range(scope)
            if scope["method"] == "GET" and self._shrinks_for(request):
                self.headers["content-encoding"] = "gzip"
                self.headers["etag"] = f"W/{self.headers['etag']}"
                del self.headers["content-length"]
        if has_already(request.get("if-none-match", ""), self.headers["etag"]):
            await self._send_not_modified(scope, receive, send)
        elif "content-encoding" in self.headers:
            await self._send_compressed(receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _shrinks_for(self, request: Headers) -> bool:
        assert self.stat_result is not None
        return self.stat_result.st_size >= MIN_BYTES and accepts_gzip(
            request.get("accept-encoding", "")
        )

    async def _send_not_modified(self, scope: Scope, receive: Receive, send: Send) -> None:
        kept = ("cache-control", "etag", "vary")
        headers = {name: self.headers[name] for name in kept if name in self.headers}
        await Response(status_code=304, headers=headers)(scope, receive, send)

    async def _send_compressed(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.ensure_future(disconnect(receive))
        try:
            with closing(compressed(self.path)) as pieces:
                while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            gone.cancel()


def compressed(path: str | os.PathLike[str]) -> Generator[bytes]:
    """The file in gzip's format (RFC 1952). Blocks, but leaves the interpreter to others."""
    compressor = zlib.compressobj(LEVEL, wbits=16 + zlib.MAX_WBITS)
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            if data := compressor.compress(piece):
                yield data
    yield compressor.flush()


def accepts_gzip(accept_encoding: str) -> bool:
    found = GZIP.search(accept_encoding)
    return found is not None and (found["quality"] or "1").strip("0.") != ""


def has_already(if_none_match: str, etag: str) -> bool:
    """Whether the client names the file's ETag, in the weak comparison."""
    named = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return named == ["*"] or etag.removeprefix("W/") in named


def is_range(method: str, value: str) -> bool:
    """Whether a Range header means something here: it is for GET, and other units are ignored."""
    return method == "GET" and value.partition("=")[0].strip().lower() == "bytes"


def without_range(scope: Scope) -> Scope:
    headers = [header for header in scope["headers"] if header[0] != b"range"]
    return {**scope, "headers": headers}


async def disconnect(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
