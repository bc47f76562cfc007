"""The answers of a job that is not over, in one file.

The file begins with a digest of its fingerprint. Behind it there are entries, one for each answer:
the digest of the frame's pixels, the number of bytes of the answer, a checksum of all of it, and
the answer as JSON. An entry is with the kernel when `append` returns, so it outlives the process.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Self

import xxhash

FORMAT = "answers 1"

_DIGEST_BYTES = 16
_HEAD = Struct(f"<{_DIGEST_BYTES}sI")
_CHECKSUM_BYTES = 8
_FRAME = _HEAD.size + _CHECKSUM_BYTES
_NO_DIGEST = bytes(_DIGEST_BYTES)


class AnswerFile:
    """Opens the file at `path`, which is made when missing; `append` may be called by any thread.

    What a file with the same fingerprint holds can be found by `find`, but for what is torn; a
    file with another one is emptied. Without a fingerprint the file has no name: it is gone when
    it is closed, or with this process.
    """

    def __init__(self, path: Path, fingerprint: str | None) -> None:
        self._stays = fingerprint is not None
        self._lock = Lock()
        self._places: dict[bytes, int] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not self._stays:
                path.unlink()
            self._begin(xxhash.xxh3_128_digest(f"{FORMAT} {fingerprint}".encode()))
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)

    def find(self, digest: bytes) -> int | None:
        """Where the answer to that frame lies, if it is in the file."""
        return self._places.get(digest)

    def append(self, answer: bytes, digest: bytes = _NO_DIGEST) -> int:
        """Write an answer, and return where it lies."""
        head = _HEAD.pack(digest, len(answer))
        entry = b"".join([head, _checksum(head, answer), answer])
        with self._lock:
            offset = self._end
            written = 0
            while written < len(entry):  # what a full disk leaves behind is written over
                written += os.pwrite(self._file, entry[written:], offset + written)
            self._end += len(entry)
            if digest != _NO_DIGEST:
                self._places[digest] = offset
        return offset

    def read(self, offset: int) -> bytes:
        """The answer that lies there."""
        _, length = _HEAD.unpack(os.pread(self._file, _HEAD.size, offset))
        return os.pread(self._file, length, offset + _FRAME)

    def _begin(self, header: bytes) -> None:
        self._end = len(header)
        if self._stays and os.pread(self._file, len(header), 0) == header:
            for entry in _entries(self._file):
                self._places[entry.digest] = entry.offset
                self._end = entry.end
            os.ftruncate(self._file, self._end)
            self.append(b"")  # tells the answers of this start from those before
        else:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, header, 0)


def new_answers(path: Path) -> int:
    """How many answers that can be found again the last start of a job has added to its file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    count = 0
    try:
        for entry in _entries(file):
            count = count + 1 if entry.digest != _NO_DIGEST else 0
    finally:
        os.close(file)
    return count


class _Entry(NamedTuple):
    digest: bytes
    offset: int
    end: int


def _entries(file: int) -> Iterator[_Entry]:
    """The whole entries; what is torn or was changed is left out."""
    offset, size = _DIGEST_BYTES, os.fstat(file).st_size
    while offset + _FRAME <= size:
        frame = os.pread(file, _FRAME, offset)
        head, checksum = frame[: _HEAD.size], frame[_HEAD.size :]
        digest, length = _HEAD.unpack(head)
        end = offset + _FRAME + length
        if end <= size and checksum == _checksum(head, os.pread(file, length, offset + _FRAME)):
            yield _Entry(digest, offset, end)
        offset = end


def _checksum(head: bytes, answer: bytes) -> bytes:
    checksum = xxhash.xxh3_64(head)
    checksum.update(answer)
    return checksum.digest()
