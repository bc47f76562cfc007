"""An application started and stopped again and again in one process leaves nothing behind."""

import asyncio
import os
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from fastapi import FastAPI

from app.core.settings import Settings
from app.main import create_app
from app.services.pipelines import registry
from tests.faults.durability.rows import check_files, read_rows

CYCLES = 200


class Held(NamedTuple):
    """What the process holds."""

    descriptors: int
    threads: int
    tasks: int


def held() -> Held:
    return Held(
        len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())
    )


async def submit_in_a_cycle(app: FastAPI, video: bytes) -> None:
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post(
                "/video/submit", files={"file": video}, data={"pipeline_id": "nothing"}
            )
            assert answer.status_code == 200


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_nothing_piles_up_over_many_lives(
    data_dir: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint("nothing", "tests.api.pipelines:nothing", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    settings = Settings(data_dir=data_dir)
    app = create_app(settings)
    for _ in range(5):
        await submit_in_a_cycle(app, clip)
    before = held()
    for _ in range(CYCLES - 5):
        await submit_in_a_cycle(app, clip)
    after = held()
    assert abs(after.descriptors - before.descriptors) <= 2
    assert abs(after.threads - before.threads) <= 2
    assert abs(after.tasks - before.tasks) <= 2
    rows = read_rows(data_dir)
    assert len(rows) == CYCLES
    assert {row.status for row in rows.values()} <= {"completed", "pending"}
    check_files(data_dir, rows)
