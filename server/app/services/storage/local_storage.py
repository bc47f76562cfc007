"""Storage in a folder of the local filesystem."""

import os
import re
import shutil
from pathlib import Path
from uuid import uuid4

from app.core.errors import FileMissing, StorageError
from app.services.storage.base import StorageService

INCOMING = ".incoming"
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


class LocalStorage(StorageService):
    """Files directly under `root`, which is made when missing.

    `incoming` is a folder on the same filesystem for files that are not whole yet: what is
    written there can be given its name by a hard link, without a copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.incoming = self.root / INCOMING
        self.incoming.mkdir(parents=True, exist_ok=True)

    def save_file(self, src: Path, dest_path: str) -> None:
        dest = self._locate(dest_path)
        try:
            os.link(src, dest)
        except OSError:
            # The name is taken, or `src` is on another filesystem, or links are not supported.
            self._replace(src, dest)
        try:
            fsync_directory(dest.parent)
        except OSError:
            dest.unlink(missing_ok=True)
            raise

    def load_file(self, path: str) -> Path:
        located = self._locate(path)
        if located.is_symlink() or not located.is_file():
            raise FileMissing(f"{path} is not in the storage.")
        return located

    def delete_file(self, path: str) -> None:
        self._locate(path).unlink(missing_ok=True)

    def _locate(self, key: str) -> Path:
        """The path of a key, which is a single visible name: it cannot leave the root."""
        if not KEY.fullmatch(key):
            raise StorageError(f"{key!r} is not a name that the storage accepts.")
        return self.root / key

    def _replace(self, src: Path, dest: Path) -> None:
        temporary = self.incoming / f"{uuid4()}.copy"
        try:
            shutil.copyfile(src, temporary)
            with temporary.open("rb") as copy:
                os.fsync(copy.fileno())
            temporary.replace(dest)
        finally:
            temporary.unlink(missing_ok=True)


def fsync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
