"""Videos that take no time, and a data folder for each test."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clips import encode_clip, numbered_frames
from tests.faults.durability.gate import Gate

MakeClip = Callable[[int], bytes]


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> MakeClip:
    """A video of so many frames, as the bytes of its file; may be called from any thread."""
    folder = tmp_path_factory.mktemp("clips")
    lock = threading.Lock()

    def make(frames: int) -> bytes:
        path = folder / f"{frames}.mp4"
        with lock:
            if not path.exists():
                encode_clip(path, numbered_frames(frames, 48, 64))
        return path.read_bytes()

    return make


@pytest.fixture(scope="session")
def clip(make_clip: MakeClip) -> bytes:
    """A video of one frame."""
    return make_clip(1)


@pytest.fixture(scope="session")
def long_clip(clip: bytes) -> bytes:
    """The same, too large to be received in one piece."""
    padding = 300_000
    return clip + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")
