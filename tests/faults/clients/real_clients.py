"""The clients that people use: each takes a video through a whole job, and gives its results."""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import requests

from tests.support.uploads import CONTENT_TYPE, END, form_before_file

PROGRAMS = Path(__file__).parent / "programs"
SECONDS = 60
FORM = {"pipeline_id": "nothing"}


def run(*command: str | Path) -> bytes:
    """What the command prints. Past its time, it ends with all that it has started."""
    limit = ("timeout", "--kill-after=5", str(SECONDS))
    ended = subprocess.run([*limit, *command], capture_output=True, check=False)
    assert ended.returncode == 0, ended
    return ended.stdout


def whole_job(submit: Callable[[], Any], get: Callable[[str], Any]) -> Any:
    job_id, deadline = submit()["job_id"], time.monotonic() + SECONDS
    while get(f"/video/status/{job_id}")["status"] != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return get(f"/video/results/{job_id}")


def curl(url: str, video: Path, *options: str) -> Any:
    def ask(path: str, *more: str) -> Any:
        command = ("curl", "--silent", "--show-error", "--fail", "--compressed", *options, *more)
        return json.loads(run(*command, url + path))

    form = ("--form", "pipeline_id=nothing", "--form", f"file=@{video}")
    return whole_job(lambda: ask("/video/submit", *form), ask)


def wget(url: str, video: Path) -> Any:
    def ask(path: str, *more: str) -> Any:
        return json.loads(run("wget", "--quiet", "--tries=1", "-O", "-", *more, url + path))

    body = video.with_suffix(".form")
    body.write_bytes(form_before_file() + video.read_bytes() + END)
    form = (f"--header=Content-Type: {CONTENT_TYPE}", f"--post-file={body}")
    return whole_job(lambda: ask("/video/submit", *form), ask)


def with_requests(url: str, video: Path) -> Any:
    with requests.Session() as session, video.open("rb") as file:
        session.trust_env = False
        return whole_job(
            lambda: session.post(f"{url}/video/submit", data=FORM, files={"file": file}).json(),
            lambda path: session.get(url + path).json(),
        )


def with_httpx(url: str, video: Path) -> Any:
    with httpx.Client(base_url=url, trust_env=False) as client, video.open("rb") as file:
        return whole_job(
            lambda: client.post("/video/submit", data=FORM, files={"file": file}).json(),
            lambda path: client.get(path).json(),
        )


def with_aiohttp(url: str, video: Path) -> Any:
    async def job() -> Any:
        async with aiohttp.ClientSession(url) as session:
            with video.open("rb") as file:
                async with session.post("/video/submit", data={**FORM, "file": file}) as answer:
                    job_id = (await answer.json())["job_id"]
            while True:
                async with session.get(f"/video/status/{job_id}") as answer:
                    if (await answer.json())["status"] == "completed":
                        break
                await asyncio.sleep(0.05)
            async with session.get(f"/video/results/{job_id}") as answer:
                return await answer.json()

    return asyncio.run(asyncio.wait_for(job(), SECONDS))


def program(*command: str | Path) -> Callable[[str, Path], Any]:
    return lambda url, video: json.loads(run(*command, url, video))


CLIENTS: dict[str, Callable[[str, Path], Any]] = {
    "curl": curl,
    "curl --http2": lambda url, video: curl(url, video, "--http2"),
    "wget": wget,
    "requests": with_requests,
    "httpx": with_httpx,
    "aiohttp": with_aiohttp,
    "node": program("node", PROGRAMS / "client.mjs"),
    "java": program("java", PROGRAMS / "Client.java"),
    # On one processor: Go's tools have been seen to spin for ever beside a busy machine.
    "go": program("env", "GOMAXPROCS=1", "go", "run", PROGRAMS / "client.go"),
}
