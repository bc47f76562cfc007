"""A server for the tests of one module."""

from collections.abc import Iterator
from typing import Literal

import pytest

from tests.faults.uploads.stored import files, jobs, lasting_files, videos
from tests.support.client import wait_until
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

LIMIT = 3 * 1024 * 1024
IDLE_SECONDS = 1


@pytest.fixture(scope="module", params=[("asyncio", "h11"), ("uvloop", None)])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """Takes files of up to LIMIT bytes, and waits IDLE_SECONDS for more of one. When the tests
    are over, each job must have its file, and there must be no other."""
    loop: Literal["asyncio", "uvloop"]
    http: Literal["h11"] | None
    loop, http = request.param
    with ServerProcess(
        tmp_path_factory.mktemp("uploads") / "data",
        plugins=[READY],
        loop=loop,
        http=http,
        env={
            "FORGESYTE_MAX_UPLOAD_BYTES": str(LIMIT),
            "FORGESYTE_UPLOAD_IDLE_SECONDS": str(IDLE_SECONDS),
        },
    ) as server:
        yield server
        server.stop()
        assert files(server.data_dir) == videos(jobs(server.data_dir))


@pytest.fixture
def nothing_is_left(server: ServerProcess) -> Iterator[None]:
    """The test adds no file."""
    before = lasting_files(server.data_dir)
    yield
    wait_until(lambda: files(server.data_dir) == before, 10, "The end of what was uploaded")
