"""A pipeline that holds every frame until the test lets it go."""

from pathlib import Path

from tests.support.pipelines import write_pipeline_package

_SOURCE = """
import os, time

def factory():
    def run(payload):
        open({arrived!r}, "w").close()
        while not os.path.exists({released!r}):
            time.sleep(0.005)
        return {{"frame": payload["frame_index"]}}
    return run
"""


class Gate:
    """The pipeline `gate`: `plugin` is the folder that a server finds it in."""

    def __init__(self, folder: Path) -> None:
        self._arrived = folder / "arrived"
        self._released = folder / "released"
        source = _SOURCE.format(arrived=str(self._arrived), released=str(self._released))
        self.plugin = write_pipeline_package(folder, {"gate": source})

    def has_arrived(self) -> bool:
        """Whether a frame waits, or was let through since the gate was last closed."""
        return self._arrived.exists()

    def open(self) -> None:
        self._released.touch()

    def close(self) -> None:
        self._arrived.unlink(missing_ok=True)
        self._released.unlink(missing_ok=True)
