"""A server for the tests of one module."""

from collections.abc import Iterator
from typing import Literal

import pytest

from tests.faults.uploads.stored import files, jobs, videos
from tests.support.pipelines import READY
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """On the event loop that its parameter may name. When the tests are over, each job must have
    its file, and no upload may have left another."""
    loop: Literal["asyncio", "uvloop"] | None = getattr(request, "param", None)
    folder = tmp_path_factory.mktemp("server")
    with ServerProcess(folder / "data", plugins=[READY], loop=loop) as server:
        yield server
        server.stop()
        assert videos(jobs(server.data_dir)) <= files(server.data_dir)
        assert not any(".incoming" in path for path in files(server.data_dir))
