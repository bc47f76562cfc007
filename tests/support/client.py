"""What a client of the server does, in one call each; the server is asked over HTTP."""

import time
from pathlib import Path
from typing import Any

import httpx2

from tools.local_server import wait_until

__all__ = ["connect", "results", "status", "submit", "wait_for", "wait_until"]

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 60.0


def connect(base_url: str) -> httpx2.Client:
    """A client for many calls to one server, to be closed; no proxy, no certificates to load."""
    return httpx2.Client(base_url=base_url, timeout=_ANSWER_SECONDS, trust_env=False, verify=False)


def submit(base_url: str, video: Path | bytes, pipeline_id: str) -> str:
    """Submit a video, given as a file or as its bytes, and return its job_id."""
    content = video if isinstance(video, bytes) else video.read_bytes()
    with connect(base_url) as client:
        response = client.post(
            "/video/submit",
            files={"file": ("video.mp4", content, "video/mp4")},
            data={"pipeline_id": pipeline_id},
        )
    return str(_body(response)["job_id"])


def status(base_url: str, job_id: str) -> dict[str, Any]:
    """The status of a job, as the server answers it."""
    return _get(base_url, f"/video/status/{job_id}")


def results(base_url: str, job_id: str) -> dict[str, Any]:
    """The results of a completed job, as the server answers them."""
    return _get(base_url, f"/video/results/{job_id}")


def wait_for(base_url: str, job_id: str, timeout: float) -> dict[str, Any]:
    """Ask for the status until the job is completed or failed, and return the last answer."""
    deadline = time.monotonic() + timeout
    with connect(base_url) as client:
        while True:
            answer = _body(client.get(f"/video/status/{job_id}"))
            if answer["status"] in ("completed", "failed"):
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"The job is {answer['status']} after {timeout:g} s.")
            time.sleep(_POLL_SECONDS)


def _get(base_url: str, path: str) -> dict[str, Any]:
    with connect(base_url) as client:
        return _body(client.get(path))


def _body(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 200, f"{response.status_code}: {response.text}"
    body: dict[str, Any] = response.json()
    return body
