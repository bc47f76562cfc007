"""A file on its way into the storage."""

import asyncio
import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from uuid import uuid4

from aiofiles.threadpool import wrap

from app.api_routes.upload.uncached_file import UncachedFile
from app.core.batching import Batcher
from app.core.errors import StorageFull, Unavailable
from app.services.storage.base import StorageService
from app.services.storage.names import staged_upload

logger = logging.getLogger(__name__)


class StagedFile:
    """A file under a name of its own in `folder`, until something else takes it over.

    `hold` and `write` what there is of it, `commit`, and `discard` in the end, whatever came of
    it. A file that was never written before touches the disk in `commit`, in one trip to a thread.
    A caller who is cancelled leaves the file what has begun, and `discard` waits for it.

    Raises, from each but `hold`:
        StorageFull: the disk has no room for it.
        Unavailable: the process has no file descriptor left for it, or the disk fails.
    """

    def __init__(
        self, folder: Path, executor: Executor, removal: "Batcher[StagedFile, None]"
    ) -> None:
        self.id = uuid4()
        self.path = folder / staged_upload(self.id)
        self._executor = executor
        self._removal = removal
        self._held = bytearray()
        self._file: UncachedFile | None = None
        self._operation: asyncio.Future[None] | None = None
        self._committed = False

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    def hold(self, data: Iterable[memoryview]) -> None:
        """Keep the next bytes in memory until they are written."""
        for some in data:
            self._held += some

    async def write(self, data: Iterable[memoryview] = ()) -> None:
        """Write what is held, and then `data`, which is iterated over in a thread."""
        await self._run(asyncio.ensure_future(self._write(chain(self._take_held(), data))))

    async def commit(self, storage: StorageService, key: str) -> None:
        """Flush all of it to disk, and store it under the key."""
        await self._run(self._in_thread(self._store, storage, key))
        self._committed = True

    async def discard(self) -> None:
        """Remove the file's own name; what was stored stays. Not to be cancelled."""
        if self._operation is None:
            return
        await asyncio.wait([self._operation])
        with understood_disk_errors():
            # To free what a file holds may take long, so those that hold it go one by one.
            await (self._removal(self) if self._committed else self._in_thread(self.remove))

    def remove(self) -> None:
        """What `discard` does at last. Blocks."""
        if self._file is not None:
            with suppress(OSError):  # what the disk refused before is of no use to anyone now
                self._file.close()
        self.path.unlink(missing_ok=True)

    def _take_held(self) -> Iterator[memoryview]:
        held, self._held = self._held, bytearray()
        yield memoryview(held)

    async def _run(self, operation: asyncio.Future[None]) -> None:
        self._operation = operation
        with understood_disk_errors():
            await asyncio.shield(operation)

    async def _write(self, data: Iterable[memoryview]) -> None:
        if self._file is None:
            await self._in_thread(self._open)
        await wrap(self._file, executor=self._executor).writelines(data)

    def _in_thread(self, function: Callable[..., None], *args: object) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._executor, function, *args)

    def _open(self) -> None:
        self._file = UncachedFile(self.path)

    def _store(self, storage: StorageService, key: str) -> None:
        with self._file or self.path.open("xb") as file:
            file.writelines([self._held])
            file.flush()
            os.fsync(file.fileno())
        storage.save_file(self.path, key)


def remove_each(files: Sequence[StagedFile]) -> list[OSError | None]:
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
