import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import ForgeSyte
from tests.support.pipelines import READY
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("cli") / "data", plugins=[READY]) as server:
        yield server


@pytest.fixture
def forgesyte(server: ServerProcess, tmp_path: Path) -> ForgeSyte:
    """The command in a folder of its own, set to call the server."""
    return ForgeSyte(tmp_path, os.environ | {"FORGESYTE_URL": server.base_url})
