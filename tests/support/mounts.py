"""Filesystems that are small, or cannot be written to. For root only."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    """An empty filesystem of `size` bytes at `folder`, which is made."""
    folder.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The same folder, with what is in it, but nobody can write to it."""
    _run("mount", "--bind", str(folder), str(folder))
    try:
        _run("mount", "-o", "remount,bind,ro", str(folder))
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def fill(folder: Path) -> Path:
    """Write a file that takes all the room there is; unlink it to give the room free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return filler


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
