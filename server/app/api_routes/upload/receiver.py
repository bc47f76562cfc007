"""Feeding a staged file from a request."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message

from app.api_routes.upload.form import FIELDS, FILE, MAX_OVERHEAD_BYTES, MultipartForm
from app.api_routes.upload.mp4_signature import SIGNATURE_BYTES, check_mp4_signature
from app.api_routes.upload.staged_file import StagedFile, remove_each
from app.core.batching import Batcher
from app.core.errors import InvalidUpload, Unavailable, UploadStalled, UploadTooLarge
from app.lent_socket import LEND_SOCKET, LentSocket

PIECE_BYTES = 512 * 1024  # of one upload, written in one trip to a thread
ALL_PIECES_BYTES = 32 * 1024 * 1024  # of all uploads: when they are many, pieces are smaller
ALL_TURNS_SECONDS = 0.1  # of threads for all uploads: when they are many, each has a shorter one
LEAST_TURN_SECONDS = 0.02
QUICK_BYTES = 128 * 1024
"""So much at a time comes of a client that sends faster than the event loop reads."""


class ReceivedFile(UploadFile):
    """For FastAPI: a file whose bytes are in a StagedFile."""

    async def close(self) -> None:
        """Nothing is open."""


class UploadReceiver:
    """Receives forms with one MP4 in them into `folder`. One for the application's life."""

    def __init__(
        self, folder: Path, executor: Executor, *, max_file_bytes: int, idle_seconds: float
    ) -> None:
        self._folder = folder
        self._executor = executor
        self._max_file_bytes = max_file_bytes
        self._idle_seconds = idle_seconds
        self._stopping = False
        self._files: set[StagedFile] = set()
        self._waiting: set[asyncio.Timeout] = set()
        self._removal = Batcher(self._remove)

    def stop(self) -> None:
        """End every upload in flight, and every later one, with Unavailable."""
        self._stopping = True
        for deadline in self._waiting:
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    def stage(self) -> StagedFile:
        """A file to receive into, which the caller discards."""
        return StagedFile(self._folder, self._executor, self._removal)

    async def receive(self, request: Request, file: StagedFile) -> FormData:
        """The form of the request, whose file is in `file`. A field that it lacks may stand in the
        query.

        Raises:
            InvalidUpload, UploadTooLarge, UploadStalled, Unavailable, StorageFull: see errors.py.
        """
        self._check_announced_size(request)
        form = MultipartForm(
            request.headers.get("content-type", ""),
            max_file_bytes=self._max_file_bytes,
            head_bytes=SIGNATURE_BYTES,
            check_head=check_mp4_signature,
        )
        with self._in_flight(file):
            await self._receive_body(request, form, file)
        form.finish()
        query = request.query_params
        values: list[tuple[str, str | UploadFile]] = [
            *((name, query[name]) for name in FIELDS if name in query),
            *form.fields,
        ]
        if form.file_size is not None:
            values.append((FILE, ReceivedFile(BytesIO(), size=form.file_size)))
        return FormData(values)

    def _check_announced_size(self, request: Request) -> None:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_file_bytes + MAX_OVERHEAD_BYTES:
            raise UploadTooLarge.than(self._max_file_bytes)

    async def _receive_body(self, request: Request, form: MultipartForm, file: StagedFile) -> None:
        extensions = request.scope.get("extensions") or {}
        lend: Callable[[], LentSocket | None] = extensions.get(LEND_SOCKET, lambda: None)
        more = True
        while more:
            message = await self._next_message(request)
            body: bytes = message.pop("body", b"")
            file.hold(form.feed(body))
            is_quick, body = len(body) >= QUICK_BYTES, b""  # whose memory is free for what follows
            more = message.get("more_body", False)
            if more and is_quick and (lent := lend()) is not None:
                with closing(lent):
                    while lent.is_quick and not self._stopping:
                        await file.write(form.feed_from(lent, self._turn_seconds()))
            elif file.held_bytes >= self._piece_bytes():
                await file.write()

    def _piece_bytes(self) -> int:
        return min(PIECE_BYTES, ALL_PIECES_BYTES // len(self._files))

    def _turn_seconds(self) -> float:
        return max(LEAST_TURN_SECONDS, ALL_TURNS_SECONDS / len(self._files))

    @contextmanager
    def _in_flight(self, file: StagedFile) -> Iterator[None]:
        self._files.add(file)
        try:
            yield
        finally:
            self._files.discard(file)

    async def _next_message(self, request: Request) -> Message:
        if self._stopping:
            raise Unavailable.stopping()
        try:
            async with asyncio.timeout(self._idle_seconds) as deadline:
                self._waiting.add(deadline)
                try:
                    message = await request.receive()
                finally:
                    self._waiting.discard(deadline)
        except TimeoutError:
            if self._stopping:
                raise Unavailable.stopping() from None
            raise UploadStalled(
                f"The upload sent nothing for {self._idle_seconds:g} seconds."
            ) from None
        if message["type"] == "http.disconnect":
            raise InvalidUpload("The upload broke off.")
        return message

    async def _remove(self, files: Sequence[StagedFile]) -> list[OSError | None]:
        in_thread = asyncio.get_running_loop().run_in_executor
        return await in_thread(self._executor, remove_each, files)
