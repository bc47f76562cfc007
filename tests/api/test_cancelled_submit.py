"""Submits whose caller loses interest, as callers in the same process can."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import anyio
import httpx2
import pytest
from fastapi import FastAPI

from app.workers.runtime import Runtime
from tests.support.client import wait_until
from tests.support.uploads import FTYP

pytestmark = pytest.mark.asyncio
MOMENTS = 40


async def post(app: FastAPI, size: int) -> None:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://in-process") as client:
        answer = await client.post(
            "/video/submit",
            files={"file": FTYP + bytes(size)},
            data={"pipeline_id": "nothing"},
        )
    assert answer.status_code == 200


async def cancel_task(request: Awaitable[None], delay: float) -> None:
    """Cancel once."""
    task = asyncio.ensure_future(request)
    await asyncio.sleep(delay)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def leave_scope(request: Awaitable[None], delay: float) -> None:
    """Cancel at every `await` from then on, clean-up included."""
    with anyio.move_on_after(delay):
        await request


async def settled(condition: Callable[[], bool], message: str) -> None:
    await asyncio.to_thread(wait_until, condition, 30, message)


@pytest.mark.parametrize("size", [100, 2_000_000])
@pytest.mark.parametrize("cancel", [cancel_task, leave_scope])
async def test_cancelled_at_any_moment_it_leaves_a_whole_job_or_nothing(
    app: FastAPI, cancel: Callable[[Awaitable[None], float], Awaitable[None]], size: int
) -> None:
    async with app.router.lifespan_context(app):
        runtime: Runtime = app.state.runtime
        storage = runtime.storage
        began = time.perf_counter()
        await post(app, size)
        took = time.perf_counter() - began
        for moment in range(MOMENTS):
            await cancel(post(app, size), 1.2 * took * moment / MOMENTS)
        await settled(
            lambda: not any(storage.staging.folder.iterdir()), "The end of temporary names"
        )
        videos = [UUID(path.stem) for path in storage.root.glob("*.mp4")]
        assert None not in await runtime.database.run(runtime.store.get, videos)


async def test_cancelled_before_the_commit_it_keeps_its_temporary_name_until_then(
    app: FastAPI,
) -> None:
    """The start after a crash tells by that name whose video was never acknowledged."""
    async with app.router.lifespan_context(app):
        runtime: Runtime = app.state.runtime
        free = threading.Event()
        busy = asyncio.create_task(runtime.database.run(free.wait))
        request = asyncio.create_task(post(app, 100))
        await settled(lambda: any(runtime.storage.root.glob("*.mp4")), "The video")
        request.cancel()
        await asyncio.wait([request], timeout=0.3)
        names = list(runtime.storage.staging.folder.iterdir())
        free.set()
        await busy
        assert len(names) == 1
        with pytest.raises(asyncio.CancelledError):
            await request
        assert not list(runtime.storage.staging.folder.iterdir())
        (video,) = runtime.storage.root.glob("*.mp4")
        assert await runtime.database.run(runtime.store.get, [UUID(video.stem)]) != [None]
