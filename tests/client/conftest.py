from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pipelines import READY
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The real server, with further pipelines."""
    with ServerProcess(tmp_path_factory.mktemp("client") / "data", plugins=[READY]) as server:
        yield server


@pytest.fixture
def not_a_video(tmp_path: Path) -> Path:
    path = tmp_path / "notes.mp4"
    path.write_text("These are notes.\n" * 10)
    return path


@pytest.fixture
def empty_video(tmp_path: Path) -> Path:
    """Begins as an MP4 does, and ends there."""
    path = tmp_path / "empty.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2")
    return path
