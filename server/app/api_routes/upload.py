"""Receiving one file into a folder, piece by piece, behind FastAPI's ordinary `UploadFile`.

FastAPI by itself parses the whole body into the system's temporary folder before a handler runs.
`UploadRoute` replaces just that step: the file goes straight to the filesystem where it will stay,
and what is wrong with it is noticed while it is still coming in. Nothing here knows
of jobs.
"""

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiofiles.threadpool import wrap
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from app.api_routes.multipart import FIELDS, FILE, MAX_OVERHEAD_BYTES, MultipartForm
from app.api_routes.refusal import Body
from app.core.batching import Batcher
from app.core.errors import (
    InvalidUpload,
    RequestError,
    StorageFull,
    Unavailable,
    UploadStalled,
    UploadTooLarge,
)
from app.services.mp4_signature import SIGNATURE_BYTES, check_mp4_signature
from app.services.storage.names import staged_upload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

logger = logging.getLogger(__name__)

PIECE_BYTES = 256 * 1024  # of one upload, written in one trip to a thread
ALL_PIECES_BYTES = 32 * 1024 * 1024  # of all uploads: when they are many, pieces are smaller
FLUSH_BYTES = 32 * 1024 * 1024  # sent to the disk while more comes in, so the last flush is short
PIECES_AT_ONCE = os.sysconf("SC_IOV_MAX")


class GatheringFile(FileIO):
    """A file that writes many pieces with one call to the kernel.

    A thread that writes them one by one must ask for the interpreter's lock after each, and the
    event loop makes it wait each time.
    """

    def writelines(self, pieces: "Iterable[ReadableBuffer]", /) -> None:
        left = [memoryview(piece) for piece in pieces]
        while left:
            written = os.writev(self.fileno(), left[:PIECES_AT_ONCE])
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if left:  # the disk is about to be full, or these are more than go into one call
                left[0] = left[0][written:]


class IncomingFile:
    """A file on its way to `folder`, under a name of its own until something takes it over.

    One operation runs at a time, and a flush beside it. A caller that is cancelled leaves them
    their file: `close` waits for them, and goes on to its end when its own caller is cancelled.
    A file that never needed `append` touches the disk in `keep` only, in one trip to a thread.

    `removal` takes away the names of files whose work is done, all that end at one time together.
    Any other file is removed by itself: to free what it holds may take long.
    """

    def __init__(
        self, folder: Path, executor: Executor, removal: "Batcher[IncomingFile, None]"
    ) -> None:
        self.id = uuid4()
        self.path = folder / staged_upload(self.id)
        self._executor = executor
        self._removal = removal
        self._file: GatheringFile | None = None
        self._unflushed = 0
        self._operation: asyncio.Future[None] | None = None
        self._flush: asyncio.Future[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    async def append(self, pieces: Sequence[memoryview]) -> None:
        await self._run(asyncio.ensure_future(self._write(pieces)))

    async def keep(self, rest: Sequence[memoryview], save: Callable[[Path], None]) -> None:
        """Write the last bytes, flush everything to disk, and hand the path to `save`, which runs
        in the same thread and gives the file a lasting name."""
        if self._flush is not None:
            await self._run(self._flush)
        await self._run(self._in_thread(self._complete, rest, save))

    async def close(self) -> None:
        """Remove the file's own name; what `save` made of it stays."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
            await asyncio.shield(self._closing)
        else:
            await asyncio.wait([self._closing])  # that it fails is for who began it

    async def close_after(self, work: Coroutine[Any, Any, None]) -> None:
        """Take `work` to its end, even when the caller is cancelled, and close only then.

        Work that the end of the event loop cuts off leaves the file's own name where it is, for
        the next start to judge.
        """
        self._closing = asyncio.ensure_future(self._work_and_close(work))
        await asyncio.shield(self._closing)

    def remove(self) -> None:
        """What `close` does at last. Blocks."""
        if self._file is not None:
            with suppress(OSError):  # what the disk refused before is of no use to anyone now
                self._file.close()
        self.path.unlink(missing_ok=True)

    async def _work_and_close(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            try:
                await self._close()
            except RequestError:
                logger.exception("The rest of an upload cannot be removed")
            raise
        await self._close(together=True)

    async def _close(self, *, together: bool = False) -> None:
        if self._operation is None:
            return
        running = [future for future in (self._operation, self._flush) if future is not None]
        await asyncio.gather(*running, return_exceptions=True)
        with understood_disk_errors():
            await (self._removal(self) if together else self._in_thread(self.remove))

    async def _run(self, operation: asyncio.Future[None]) -> None:
        self._operation = operation
        with understood_disk_errors():
            await asyncio.shield(operation)

    def _in_thread(self, function: Callable[..., None], *args: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._executor, function, *args)

    async def _write(self, pieces: Sequence[memoryview]) -> None:
        if self._file is None:
            await self._in_thread(self._open)
        assert self._file is not None
        await wrap(self._file, executor=self._executor).writelines(pieces)
        self._unflushed += sum(map(len, pieces))
        if self._unflushed >= FLUSH_BYTES:
            if self._flush is not None:
                await self._flush
            self._flush = self._in_thread(os.fdatasync, self._file.fileno())
            self._unflushed = 0

    def _open(self) -> None:
        self._file = GatheringFile(self.path, "xb")

    def _complete(self, rest: Sequence[memoryview], save: Callable[[Path], None]) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None
        with self._file:
            self._file.writelines(rest)
            os.fsync(self._file.fileno())
        save(self.path)


def remove_each(files: Sequence[IncomingFile]) -> list[OSError | None]:
    """For each file None, or why it could not be removed. Blocks."""
    outcomes: list[OSError | None] = []
    for file in files:
        try:
            file.remove()
        except OSError as error:
            outcomes.append(error)
        else:
            outcomes.append(None)
    return outcomes


class ReceivedFile(UploadFile):
    """An uploaded file whose bytes are on disk, or wait in memory for `keep`, not in `file`."""

    def __init__(self, incoming: IncomingFile, rest: Sequence[memoryview], size: int) -> None:
        super().__init__(BytesIO(), size=size)
        self.id = incoming.id
        self._incoming = incoming
        self._rest = rest

    async def keep(self, save: Callable[[Path], None]) -> None:
        """Flush the file to disk and hand its path to `save`, which gives it a lasting name.

        Raises:
            StorageFull: the disk has no room for it.
            Unavailable: the process has no file descriptor left for it, or the disk fails.
        """
        await self._incoming.keep(self._rest, save)

    async def close(self) -> None:
        await self._incoming.close()

    async def close_after(self, work: Coroutine[Any, Any, None]) -> None:
        """Take `work` to its end, even when the caller is cancelled, and close only then."""
        await self._incoming.close_after(work)


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
        self._deadlines: set[asyncio.Timeout] = set()
        self._removal = Batcher(self._remove)

    def stop(self) -> None:
        """End every upload in flight, and every later one, with Unavailable."""
        self._stopping = True
        for deadline in self._deadlines:
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    async def receive(self, request: Request) -> FormData:
        """The form, its file a ReceivedFile that the caller closes. A field that it lacks may
        stand in the query.

        Raises:
            InvalidUpload, UploadTooLarge, UploadStalled, Unavailable, StorageFull: see errors.py.
                Nothing is left in the folder.
        """
        if self._stopping:
            raise Unavailable.stopping()
        self._check_announced_size(request)
        form = MultipartForm(
            request.headers.get("content-type", ""),
            max_file_bytes=self._max_file_bytes,
            head_bytes=SIGNATURE_BYTES,
            check_head=check_mp4_signature,
        )
        incoming = IncomingFile(self._folder, self._executor, self._removal)
        try:
            await self._read_body(request, form, incoming)
        except BaseException:
            await incoming.close()
            raise
        query = request.query_params
        values: list[tuple[str, str | UploadFile]] = [
            *((name, query[name]) for name in FIELDS if name in query),
            *form.fields,
        ]
        if form.file_size is not None:
            file = ReceivedFile(incoming, form.take_file_data(), form.file_size)
            values.append((FILE, file))
        return FormData(values)

    async def _remove(self, files: Sequence[IncomingFile]) -> list[OSError | None]:
        in_thread = asyncio.get_running_loop().run_in_executor
        return await in_thread(self._executor, remove_each, files)

    def _check_announced_size(self, request: Request) -> None:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_file_bytes + MAX_OVERHEAD_BYTES:
            raise UploadTooLarge.than(self._max_file_bytes)

    async def _read_body(
        self, request: Request, form: MultipartForm, incoming: IncomingFile
    ) -> None:
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self._idle_seconds) as deadline:
                with self._in_flight(deadline):
                    async for chunk in request.stream():
                        form.write(chunk)
                        if form.held_bytes >= self._piece_bytes():
                            self._expect(deadline, None)  # a slow disk is not a silent client
                            await incoming.append(form.take_file_data())
                        self._expect(deadline, now() + self._idle_seconds)
        except TimeoutError:
            if self._stopping:
                raise Unavailable.stopping() from None
            raise UploadStalled(
                f"The upload sent nothing for {self._idle_seconds:g} seconds."
            ) from None
        except ClientDisconnect:
            raise InvalidUpload("The upload broke off.") from None
        form.finish()

    def _piece_bytes(self) -> int:
        return min(PIECE_BYTES, ALL_PIECES_BYTES // len(self._deadlines))

    def _expect(self, deadline: asyncio.Timeout, when: float | None) -> None:
        """Set the time for the next sign of the client, unless the server is stopping, which has
        set it to now."""
        if not self._stopping:
            deadline.reschedule(when)

    @contextmanager
    def _in_flight(self, deadline: asyncio.Timeout) -> Iterator[None]:
        self._deadlines.add(deadline)
        try:
            yield
        finally:
            self._deadlines.discard(deadline)


def upload_route(receiver_of: Callable[[Request], UploadReceiver]) -> type[APIRoute]:
    """A route class whose forms are received by `receiver_of(request)`.

    The form is read before FastAPI's handler is called, because in there every error that is not
    an HTTPException becomes a 400. `request.state.body` knows whether all of the body was read.
    """

    class UploadRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def receive_then_handle(request: Request) -> Response:
                request.state.body = Body(request.receive)
                request = Request(request.scope, request.state.body)
                form = await receiver_of(request).receive(request)
                return await handle(RequestWithForm(request, form))

            return receive_then_handle

    return UploadRoute


class RequestWithForm(Request):
    """A request whose form has been read. FastAPI takes it from here, and closes it."""

    def __init__(self, request: Request, form: FormData) -> None:
        super().__init__(request.scope, request.receive)
        self._form = form


@contextmanager
def understood_disk_errors() -> Iterator[None]:
    """Raise what a person can do something about as an error of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("The server's disk is full; try again later.") from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise Unavailable("The server has too many files open; try again later.") from error
        logger.exception("An upload cannot be stored")
        raise Unavailable("The server cannot store it now; try again later.") from error
