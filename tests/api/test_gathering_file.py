"""Writing many pieces at once, and what the kernel may make of it."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.api_routes.upload import PIECES_AT_ONCE, GatheringFile


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_more_pieces_than_the_kernel_takes_arrive_in_order(tmp_path: Path) -> None:
    pieces = [os.urandom(number % 7) for number in range(3 * PIECES_AT_ONCE)]
    with GatheringFile(tmp_path / "file", "xb") as file:
        file.writelines(pieces[:5])
        file.writelines(pieces[5:])
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_what_fits_in_part_only_is_an_error(tmp_path: Path) -> None:
    pieces = [os.urandom(60_000) for _ in range(3)]
    with (
        GatheringFile(tmp_path / "file", "xb") as file,
        files_no_larger_than(100_000),
        pytest.raises(OSError, match=os.strerror(errno.EFBIG)),
    ):
        file.writelines(pieces)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)[:100_000]
