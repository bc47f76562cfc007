"""Fixtures for the integration tests of programs that use the server.

    pytest_plugins = ["app.testing"]  # in a conftest.py


    def test_my_program(forgesyte_server):
        assert my_program(url=forgesyte_server) == "done"

Each test gets a server, or an application, with a data folder of its own. What they are set to is
the fixture `forgesyte_settings`, which a conftest.py or a module may define anew; `running_server`
serves fixtures of a wider scope.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.core.settings import ENV_PREFIX, Settings
from app.main import create_app
from app.serving import server_of


@pytest.fixture
def forgesyte_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder for this test, and defaults; the environment has no say."""
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    return Settings(data_dir=tmp_path / "forgesyte", shutdown_grace_seconds=0)


@pytest.fixture
def forgesyte_server(forgesyte_settings: Settings) -> Iterator[str]:
    """The URL of a server that listens on a free port while the test runs."""
    with running_server(forgesyte_settings) as url:
        yield url


@pytest.fixture
def forgesyte_in_process(forgesyte_settings: Settings) -> Iterator[TestClient]:
    """A client of an application that listens nowhere; its jobs run all the same."""
    with TestClient(create_app(forgesyte_settings)) as client:
        yield client


@contextmanager
def running_server(settings: Settings) -> Iterator[str]:
    """A server in a thread, on a free port of 127.0.0.1, whatever port is set; gives its URL.

    Raises:
        RuntimeError: it did not start; the log says why.
    """
    server = server_of(settings)
    with ThreadPoolExecutor(1, thread_name_prefix="ForgeSyte server") as thread:
        running = thread.submit(server.run)
        try:
            while not server.started:
                if running.done():
                    raise RuntimeError("The server did not start; the log says why.")
                time.sleep(0.01)
            host, port = server.servers[0].sockets[0].getsockname()
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
