"""Where videos and results are kept, and where they lie before: the contracts."""

from abc import ABC, abstractmethod
from pathlib import Path


class StorageService(ABC):
    """Whole files under relative keys such as `{job_id}.mp4`.

    A key names one file inside the storage. A key that is empty, absolute, or leaves the storage
    is refused by every method with StorageError.
    """

    @abstractmethod
    def save_file(self, src: Path, dest_path: str) -> None:
        """Make the local file `src` available under the key, whole or not at all, and durably:
        when this returns, the file and its name survive a power cut, provided that `src` itself
        was flushed to disk. A file already there is replaced. `src` stays the caller's.

        Raises:
            OSError: `src` cannot be read or the storage cannot be written.
        """

    @abstractmethod
    def load_file(self, path: str) -> Path:
        """A local path from which the file under the key can be read.

        Raises:
            FileMissing: nothing is stored under the key.
        """

    @abstractmethod
    def delete_file(self, path: str) -> None:
        """Remove the file under the key; nothing happens when there is none."""


class StagingArea(ABC):
    """Where a file lies until it is whole, on the filesystem of the storage that it is for.

    Names are as plain as the storage's keys, and refused like them.
    """

    @abstractmethod
    def path(self, name: str) -> Path:
        """Where the file of that name is written and read. Nothing is made there."""

    @abstractmethod
    def discard(self, name: str) -> None:
        """Remove the file of that name; nothing happens when there is none."""
