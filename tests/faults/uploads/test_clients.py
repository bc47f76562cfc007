"""Ordinary clients read why they were refused, though they are still sending."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import httpx
import httpx2
import orjson
import pytest

from tests.faults.uploads.stored import files, jobs
from tests.support.server import ServerProcess
from tests.support.uploads import CONTENT_TYPE, END, FTYP, form_before_file

MIB = 1024 * 1024
TIMES = 20
LIMIT = 4 * MIB
SENT = 512 * MIB
"""Much more than all the buffers on the way hold."""

Refusal = tuple[int, str]
"""The status, and the detail."""


@pytest.fixture(scope="module", params=["h11", None], ids=["h11", "ours"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    http: Literal["h11"] | None = request.param
    env = {"FORGESYTE_MAX_UPLOAD_BYTES": str(LIMIT)}
    with ServerProcess(tmp_path_factory.mktemp("server") / "data", env=env, http=http) as server:
        yield server
        assert files(server.data_dir) == set()
        server.stop()
        assert jobs(server.data_dir) == set()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse(tmp_path_factory.mktemp("video") / "video.mp4", FTYP)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sparse(tmp_path_factory.mktemp("wrong") / "wrong.mp4", b"")


def write_sparse(path: Path, content: bytes) -> Path:
    with path.open("wb") as file:
        file.write(content)
        file.truncate(SENT)
    return path


def curl(url: str, video: Path, *, announced: bool) -> Refusal:
    found = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "30"),
            *("--write-out", "\n%{http_code}"),
            *([] if announced else ["--header", "Transfer-Encoding: chunked"]),
            *("--form", "pipeline_id=nothing", "--form", f"file=@{video}"),
            url,
        ],
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0, found
    body, _, status = found.stdout.rpartition(b"\n")
    return int(status), orjson.loads(body)["detail"]


def body_of(video: Path) -> Iterator[bytes]:
    yield form_before_file()
    with video.open("rb") as file:
        while piece := file.read(64 * 1024):
            yield piece
    yield END


def post_with(client_class: type[httpx.Client] | type[httpx2.Client]) -> Callable[..., Refusal]:
    def post(url: str, video: Path, *, announced: bool) -> Refusal:
        headers = {"Content-Type": CONTENT_TYPE}
        if announced:
            headers["Content-Length"] = str(len(form_before_file()) + SENT + len(END))
        with client_class(trust_env=False, timeout=30) as client:
            answer = client.post(url, content=body_of(video), headers=headers)
        return answer.status_code, answer.json()["detail"]

    return post


CLIENTS = {"curl": curl, "httpx": post_with(httpx.Client), "httpx2": post_with(httpx2.Client)}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("announced", [True, False])
def test_too_large(server: ServerProcess, video: Path, client: str, announced: bool) -> None:
    for _ in range(TIMES):
        refusal = CLIENTS[client](f"{server.base_url}/video/submit", video, announced=announced)
        assert refusal == (413, f"The file is larger than the {LIMIT} bytes allowed.")


@pytest.mark.parametrize("client", CLIENTS)
def test_wrong_file(server: ServerProcess, wrong: Path, client: str) -> None:
    for _ in range(TIMES):
        status, detail = CLIENTS[client](f"{server.base_url}/video/submit", wrong, announced=False)
        assert status == 400
        assert "does not begin with an ftyp box" in detail
