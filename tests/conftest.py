"""Fixtures that every test may use."""

import functools
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.core.database import build_engine, migrate

PROBES = {  # succeed where the named power is at hand
    "strace": ["sh", "-c", "sleep 3 & exec strace -qq -o /dev/null -p $!"],
    "cc": ["cc", "--version"],
    "namespaces": ["unshare", "--net", "ip", "link", "set", "lo", "up"],
    "mounts": ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
    "ffmpeg": ["ffmpeg", "-version"],
    "curl": ["curl", "--version"],
    "curl --http2": ["sh", "-c", "curl --version | grep -qw HTTP2"],
    "wget": ["wget", "--version"],
    "node": ["node", "--version"],
    "java": ["javac", "--version"],
    "go": ["go", "version"],
    "nginx": ["nginx", "-v"],
    "browser": ["sh", "-c", "google-chrome --version || chromium --version"],
}


def pytest_configure(config: pytest.Config) -> None:
    # A shell makes what it starts in the background ignore SIGINT, and processes hand that down.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line(
        "markers", "logs_errors: the test provokes ERROR log records on purpose"
    )
    config.addinivalue_line(
        "markers",
        "needs(power): what the test cannot do without, such as strace or mounts; without it, "
        "skipped, but failed where CI=true",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        if not has_power(marker.args[0]):
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"needs {marker.args[0]}, which is not allowed or not installed here")


@functools.cache
def has_power(name: str) -> bool:
    try:
        return not subprocess.run(PROBES[name], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


@pytest.fixture(autouse=True)
def no_logged_errors(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Fail a test that logged an error which it did not announce."""
    yield
    if request.node.get_closest_marker("logs_errors"):
        return
    errors = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert not errors, [record.getMessage() for record in errors]


@pytest.fixture(scope="session", autouse=True)
def no_new_files() -> Iterator[None]:
    """Fail the run when a test has left a file in the repository."""
    before = untracked_files()
    yield
    assert untracked_files() - before == set()


def untracked_files() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    return {*listed.stdout.splitlines()}


@pytest.fixture
def memory_engine() -> Iterator[Engine]:
    """An in-memory DuckDB with the migrated schema; usable on the test's own thread only."""
    engine = build_engine("duckdb:///:memory:")
    with engine.connect() as connection:
        migrate(connection)
        yield engine
    engine.dispose()


@pytest.fixture
def sessions(memory_engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(bind=memory_engine)
