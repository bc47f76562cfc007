"""Writing a file past the page cache."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE_BYTES = 512 * 1024  # copied and written at a time
BLOCK_BYTES = 4096  # no disk asks for more to be written at a time


class UncachedFile(FileIO):
    """A new file whose whole blocks go from their memory to the disk (open(2), O_DIRECT).

    The kernel copies nothing, other files keep their places in its cache, and little is left for
    the last flush. On a filesystem that cannot do that, all goes through the cache. What is no
    whole block waits for the rest of it, or for `flush`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb", opener=open_uncached)
        self._rest = b""

    def writelines(self, lines: "Iterable[ReadableBuffer]", /) -> None:
        for line in lines:
            data = memoryview(line)
            if self._rest or not is_whole_blocks(data):
                self._write_copied(data)
            else:
                self._write_all(data)
            del line, data  # whose memory is free for what follows

    def flush(self) -> None:
        """Call it when there is no more to write."""
        if not self.closed and self._rest:
            self._pass_through_cache()
            self._write_all(memoryview(self._rest))
            self._rest = b""

    def _write_copied(self, data: memoryview) -> None:
        """Write the rest and the data, but for what is no whole block at their end."""
        piece = BlockMemory(min(PIECE_BYTES, len(data) + BLOCK_BYTES)).view
        filled = copy_into(piece, memoryview(self._rest))
        while filled + len(data) >= BLOCK_BYTES:
            count = copy_into(piece[filled:], data)
            data, filled = data[count:], filled + count
            whole = filled - filled % BLOCK_BYTES
            self._write_all(piece[:whole])
            filled = copy_into(piece, piece[whole:filled])
        self._rest = bytes(piece[:filled]) + data

    def _write_all(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self.fileno(), data) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self._pass_through_cache():
                    raise

    def _pass_through_cache(self) -> bool:
        """From now on; False if it does already."""
        flags = fcntl.fcntl(self.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(self.fileno(), fcntl.F_SETFL, flags & ~os.O_DIRECT)
        return bool(flags & os.O_DIRECT)


class BlockMemory:
    """So many bytes of memory that begin where a block may."""

    def __init__(self, size: int) -> None:
        self._buffer = bytearray(size + BLOCK_BYTES)
        whole = memoryview(self._buffer)
        self._start = -address_of(whole) % BLOCK_BYTES
        self.view = whole[self._start :][:size]

    def find(self, wanted: bytes, end: int) -> int:
        """Where it is in the first `end` bytes, or -1."""
        found = self._buffer.find(wanted, self._start, self._start + end)
        return found - self._start if found >= 0 else -1


def is_whole_blocks(data: memoryview) -> bool:
    return not (data.readonly or len(data) % BLOCK_BYTES or address_of(data) % BLOCK_BYTES)


def address_of(memory: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory)) if memory else 0


def copy_into(room: memoryview, data: memoryview) -> int:
    """Copy as much as there is room for; how much that is."""
    count = min(len(room), len(data))
    room[:count] = data[:count]
    return count


def open_uncached(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_DIRECT, 0o666)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # Some filesystems make the file before they find out that they cannot.
        return os.open(path, flags & ~os.O_EXCL, 0o666)
