"""What the application leaves alone: the event loop it answers on, and signals that are not its."""

import asyncio
import builtins
import io
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from app.workers.shutdown import stop_signals
from tests.support.client import wait_until

OS_CALLS = "open read write fsync stat link rename replace unlink mkdir listdir scandir"
FILE_CALLS = [(builtins, "open"), (io, "open"), *((os, name) for name in OS_CALLS.split())]
DATABASE_CALLS = ["engine_connect", "before_cursor_execute", "commit", "rollback"]


def on_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def watched_event_loops(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Notes what touches a file or the database on a thread whose event loop is running."""
    found: list[str] = []

    def watched(name: str, call: Callable[..., Any] = lambda *_: None) -> Callable[..., Any]:
        @wraps(call)
        def watch(*args: Any, **kwargs: Any) -> Any:
            if on_an_event_loop():
                found.append(f"{name}{args}")
            return call(*args, **kwargs)

        return watch

    listeners = {name: watched(name) for name in DATABASE_CALLS}
    with monkeypatch.context() as patch:
        for module, name in FILE_CALLS:
            patch.setattr(module, name, watched(name, getattr(module, name)))
        for name, listener in listeners.items():
            event.listen(Engine, name, listener)
        try:
            yield found
        finally:
            for name, listener in listeners.items():
                event.remove(Engine, name, listener)


def ask_for_everything(client: TestClient, video: bytes) -> None:
    """A small upload, a large one and a wrong one; status and results, of no job as well."""

    def submit(content: bytes) -> str:
        files = {"file": ("video.mp4", content)}
        response = client.post("/video/submit", files=files, data={"pipeline_id": "nothing"})
        return str(response.json().get("job_id"))

    def is_completed() -> bool:
        return bool(client.get(f"/video/status/{job_id}").json()["status"] == "completed")

    job_id = submit(video)
    submit(video + bytes(3_000_000))
    submit(b"This is not a video, but long enough to be judged.")
    wait_until(is_completed, 60, "The job's end")
    assert client.get(f"/video/results/{job_id}").status_code == 200
    assert client.head(f"/video/results/{job_id}").status_code == 200
    assert client.get(f"/video/status/{uuid4()}").status_code == 404  # asks the database


def test_no_request_waits_for_a_disk_on_the_event_loop(
    client: TestClient, tiny: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_everything(client, tiny)  # FastAPI finds out, once, where each endpoint is defined
    with watched_event_loops(monkeypatch) as blocking_calls:
        ask_for_everything(client, tiny)
    assert blocking_calls == []


def test_off_the_main_thread_it_runs_and_leaves_signals_alone(app: FastAPI) -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(number) for number in stop_signals()]

    async def run() -> list[object]:
        async with app.router.lifespan_context(app):
            return handlers()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, run()).result(60) == handlers()


@pytest.mark.parametrize("state", ["never started", "stopped"])
def test_what_was_not_started_says_so(app: FastAPI, tiny: bytes, state: str) -> None:
    if state == "stopped":
        with TestClient(app):
            pass
    client = TestClient(app)
    form: dict[str, Any] = {"files": {"file": tiny}, "data": {"pipeline_id": "nothing"}}
    for answer in (client.get(f"/video/status/{uuid4()}"), client.post("/video/submit", **form)):
        assert answer.status_code == 503
        assert "lifespan has to run" in answer.json()["detail"]
    assert client.get("/").status_code == 200
