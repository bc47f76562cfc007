"""Writing past the page cache, and what the kernel may make of it."""

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.api_routes.upload.uncached_file import BLOCK_BYTES, PIECE_BYTES, UncachedFile


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(params=["as it comes", "cached"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UncachedFile]:
    with UncachedFile(tmp_path / "file") as file:
        if request.param == "cached":
            flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFL)
            fcntl.fcntl(file.fileno(), fcntl.F_SETFL, flags & ~os.O_DIRECT)
        yield file


@pytest.mark.parametrize(
    "sizes",
    [
        [1],
        [BLOCK_BYTES],
        [BLOCK_BYTES - 1, 1, 1],
        [PIECE_BYTES],
        [PIECE_BYTES + 1, PIECE_BYTES - 1],
        [3 * PIECE_BYTES + 5, 0, 7 * BLOCK_BYTES],
        range(300),
    ],
)
def test_pieces_of_any_size_arrive_in_order(
    file: UncachedFile, tmp_path: Path, sizes: list[int]
) -> None:
    pieces = [os.urandom(size) for size in sizes]
    file.writelines(pieces[:1])
    file.writelines(iter(pieces[1:]))
    file.flush()
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_what_fits_in_part_only_is_an_error(file: UncachedFile, tmp_path: Path) -> None:
    pieces = [os.urandom(60_000) for _ in range(3)]
    with (
        files_no_larger_than(100_000),
        pytest.raises(OSError, match=os.strerror(errno.EFBIG)),
    ):
        file.writelines(pieces)
    written = (tmp_path / "file").read_bytes()
    assert b"".join(pieces).startswith(written)


def test_of_pieces_that_end_in_an_error_whole_ones_are_written(
    file: UncachedFile, tmp_path: Path
) -> None:
    piece = os.urandom(PIECE_BYTES)

    def pieces() -> Iterator[bytes]:
        yield piece
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        file.writelines(pieces())
    assert (tmp_path / "file").read_bytes() == piece
