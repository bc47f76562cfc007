"""Memory does not grow with the size of what is uploaded."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.load import repeat
from benchmarks.servers import MeasuredServer
from benchmarks.uploads import send
from tests.support.uploads import write_video

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredServer]:
    """A server that has done each kind of work once, so that what grows is due to uploads."""
    folder = tmp_path_factory.mktemp("memory")
    with MeasuredServer("ours", folder / "data") as server:
        server.hold_worker()
        send(server.port, write_video(folder / "warm-up.mp4", 8 * MIB))
        yield server


@pytest.mark.parametrize(
    ("size", "at_once", "growth"),
    [
        pytest.param(1024 * MIB, 1, 4 * MIB, id="one of 1 GiB"),
        pytest.param(128 * MIB, 8, 16 * MIB, id="8 of 128 MiB at once"),
        pytest.param(2 * MIB, 500, 64 * MIB, id="500 of 2 MiB at once"),
    ],
)
def test_memory_is_bounded(
    server: MeasuredServer, tmp_path: Path, size: int, at_once: int, growth: int
) -> None:
    video = write_video(tmp_path / "video.mp4", size)
    run = server.measure(partial(repeat, partial(send, server.port, video), at_once, at_once))
    server.forget_videos()
    video.unlink()
    assert run.rss_growth <= growth
