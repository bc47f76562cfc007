"""Fixtures that every test may use."""

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from app.core.database import build_engine, migrate


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "logs_errors: the test provokes ERROR log records on purpose"
    )


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
