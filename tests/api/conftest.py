"""The application in this process, on in-memory DuckDB."""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.core.settings import Settings
from app.main import create_app
from app.models.job import Job, JobStatus
from app.services.job_store import JobRecord
from app.services.pipelines import registry
from app.workers.runtime import Runtime
from tests.api import pipelines

MakeJob = Callable[..., UUID]


@pytest.fixture
def tiny() -> bytes:
    return (Path(__file__).parents[1] / "fixtures" / "tiny.mp4").read_bytes()


@pytest.fixture
def test_pipelines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    entries = [
        EntryPoint(name, f"tests.api.pipelines:{name}", registry.ENTRY_POINT_GROUP)
        for name in ("nothing", "hold", "boom")
    ]
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [e for e in entries if e.group == group]
    )
    pipelines.released.clear()
    yield
    pipelines.released.set()


@pytest.fixture
def app(tmp_path: Path, test_pipelines: None) -> FastAPI:
    return create_app(
        Settings(
            data_dir=tmp_path / "data",
            database_url="duckdb:///:memory:",
            shutdown_grace_seconds=0,
        )
    )


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
        pipelines.released.set()


@pytest.fixture
def runtime(client: TestClient, app: FastAPI) -> Runtime:
    found: Runtime = app.state.runtime
    return found


@pytest.fixture
def make_job(runtime: Runtime) -> MakeJob:
    """Put a row into the table, in any state, without queueing it."""

    def make(status: JobStatus = JobStatus.PENDING, **columns: Any) -> UUID:
        job_id = uuid4()

        def insert() -> None:
            with runtime.store.sessions.begin() as session:
                session.add(
                    Job(
                        job_id=job_id,
                        status=status,
                        pipeline_id="nothing",
                        input_path=f"{job_id}.mp4",
                        **columns,
                    )
                )

        runtime.database.call(insert)
        return job_id

    return make


@pytest.fixture
def all_jobs(runtime: Runtime) -> Callable[[], list[JobRecord]]:
    def read() -> list[JobRecord]:
        with runtime.store.sessions() as session:
            ids = [job_id for (job_id,) in session.query(Job.job_id)]
        return [job for job in runtime.store.get(ids) if job is not None]

    return lambda: runtime.database.call(read)


@pytest.fixture
def stored_files(runtime: Runtime) -> Callable[[], list[str]]:
    """Every file in the data folder, temporary ones included."""
    root = runtime.storage.root
    return lambda: sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
