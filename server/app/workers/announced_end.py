"""The mark that tells an end which somebody asked for from a crash."""

from pathlib import Path

from app.services.storage.local_storage import fsync_directory

NAME = "stop-announced"


class AnnouncedEnd:
    """An empty file in the data folder, from the moment that a stop is asked for until nothing
    runs any more. A start that finds one knows that the process before was told to end, whatever
    has killed it then.

    It is there for a process that holds the folder: `take` what the process before has left,
    before any job runs, and only then can this one leave its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._is_ours = False

    def exists(self) -> bool:
        return self._path.exists()

    def take(self) -> None:
        """Remove the mark of the process before, durably."""
        if self.exists():
            self._path.unlink()
            fsync_directory(self._folder)
        self._is_ours = True

    def announce(self) -> None:
        """Leave the mark, which outlives the process at once. Safe in a signal handler."""
        if self._is_ours:
            self._path.touch()

    def flush(self) -> None:
        """Let the mark outlive the machine as well. Blocks for as long as the disk is busy."""
        fsync_directory(self._folder)

    def withdraw(self) -> None:
        """Nothing runs any more, so that nothing need be told of the end."""
        if self._is_ours:
            self._is_ours = False
            self._path.unlink(missing_ok=True)
