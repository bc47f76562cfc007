"""One process for one folder."""

import fcntl
import os
from pathlib import Path


class FolderLock:
    """Keeps every other FolderLock off a folder, in this process and in others, from `acquire` to
    `release` or to the end of the process, whichever way it ends (flock(2))."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """
        Raises:
            BlockingIOError: another one holds it.
            OSError: the folder cannot be locked.
        """
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        held.add(descriptor)

    def release(self) -> None:
        """Nothing happens when it is not held."""
        if self._descriptor is not None:
            held.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


held: set[int] = set()


def let_go_in_child() -> None:
    """A forked child has the lock as well, and may outlive this process; then the next one would
    find the folder locked."""
    for descriptor in held:
        os.close(descriptor)
    held.clear()


os.register_at_fork(after_in_child=let_go_in_child)
