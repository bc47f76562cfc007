"""Storage and staging in folders of the local filesystem."""

import errno
import os
import re
import shutil
from pathlib import Path
from uuid import uuid4

from app.core.errors import FileMissing, StorageError
from app.services.storage.base import StagingArea, StorageService

STAGING = ".incoming"
CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS}
"""What filesystems answer that do not know the call: SMB, 9p, some in user space."""
FULL = {errno.ENOSPC, errno.EDQUOT}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


class LocalStaging(StagingArea):
    """Files directly in `folder`, which is made when missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return locate(self.folder, name)

    def discard(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)


class LocalStorage(StorageService):
    """Files directly under `root`, which is made when missing.

    What is whole in `staging`, on the same filesystem, is given its key by a hard link, without a
    copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.staging = LocalStaging(self.root / STAGING)

    def save_file(self, src: Path, dest_path: str) -> None:
        dest = locate(self.root, dest_path)
        try:
            os.link(src, dest)
        except OSError:
            # The name is taken, or `src` is on another filesystem, or links are not supported.
            self._replace(src, dest)
        try:
            fsync_directory(self.root)
        except OSError:
            dest.unlink(missing_ok=True)
            raise

    def load_file(self, path: str) -> Path:
        located = locate(self.root, path)
        if located.is_symlink() or not located.is_file():
            raise FileMissing(f"{path} is not in the storage.")
        return located

    def delete_file(self, path: str) -> None:
        locate(self.root, path).unlink(missing_ok=True)

    def try_out(self) -> list[str]:
        """Do with an empty file all that will be done with others; nothing is left of it.

        Returns what the filesystem cannot do and how it is made up for, a sentence each. What a
        full disk can do is not known.

        Raises:
            OSError: it cannot do something that is not made up for.
        """
        names = [f"{uuid4()}.trial" for _ in range(3)]
        first, linked, renamed = map(self.staging.path, names)
        lacking = []
        try:
            with first.open("xb") as file:
                os.fsync(file.fileno())
            try:
                os.link(first, linked)
            except OSError:
                lacking.append("It has no hard links, so every file is copied once.")
            first.replace(renamed)
            if not fsync_directory(self.root):
                lacking.append(
                    "It cannot flush folders, so a power cut may take the newest files away."
                )
        except OSError as error:
            if error.errno not in FULL:
                raise
        finally:
            for name in names:
                self.staging.discard(name)
        return lacking

    def _replace(self, src: Path, dest: Path) -> None:
        name = f"{uuid4()}.copy"
        copy = self.staging.path(name)
        try:
            shutil.copyfile(src, copy)
            with copy.open("rb") as file:
                os.fsync(file.fileno())
            copy.replace(dest)
        finally:
            self.staging.discard(name)


def locate(folder: Path, name: str) -> Path:
    """The path of a single visible name, which cannot leave the folder.

    Raises:
        StorageError: it is no such name.
    """
    if not NAME.fullmatch(name):
        raise StorageError(f"{name!r} is not a name that the storage accepts.")
    return folder / name


def fsync_directory(directory: Path) -> bool:
    """Make the names in a directory durable; False where the filesystem cannot do that."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        return False
    finally:
        os.close(descriptor)
    return True
