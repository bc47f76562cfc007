"""What a process has open, of Linux."""

import os
from contextlib import suppress
from pathlib import Path


def open_files(process: int | str = "self") -> dict[int, str]:
    """The target of each descriptor; one that is closed in the meantime is left out."""
    targets = {}
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            targets[int(link.name)] = os.readlink(link)
    return targets
