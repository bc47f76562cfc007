"""The clients that people use, straight and through nginx."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.clients.real_clients import CLIENTS
from tests.faults.uploads.test_clients import curl, post_with
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TINY_MP4
from tests.support.client import wait_until
from tests.support.server import ServerProcess
from tests.support.uploads import CONTENT_TYPE, END, FTYP, form_before_file
from tools.local_server import HOST, AppProcess, free_port

MIB = 1024 * 1024
POLLERS = 60
OUTSIDE = ("curl", "curl --http2", "wget", "node", "java", "go")
WITH_POWERS = [
    pytest.param(name, marks=[pytest.mark.needs(name)] if name in OUTSIDE else [])
    for name in CLIENTS
]
RESULTS = [{"frame_index": index, "result": {}} for index in range(FRAME_COUNT)]
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass {server};
            proxy_http_version 1.1;
            proxy_request_buffering {buffering};
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
    }}
}}
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(TINY_MP4.read_bytes())
    return path


@pytest.fixture(scope="module", params=["on", "off"])
def nginx(
    server: ServerProcess, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of nginx in front of the server, as its documents set it up, with its buffering of
    requests on or off."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(
            folder=folder, host=HOST, port=port, server=server.base_url, buffering=request.param
        )
    )
    url = f"http://{HOST}:{port}"
    with AppProcess(["nginx", "-p", str(folder), "-c", str(configuration)], folder / "data"):
        wait_until(lambda: answers(url), 10, "nginx")
        yield url


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("client", WITH_POWERS)
def test_every_client_gets_its_results(server: ServerProcess, client: str, video: Path) -> None:
    assert CLIENTS[client](server.base_url, video)["results"] == RESULTS


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("client", WITH_POWERS)
def test_every_client_gets_its_results_through_nginx(nginx: str, client: str, video: Path) -> None:
    assert CLIENTS[client](nginx, video)["results"] == RESULTS


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("post", [curl, post_with(httpx.Client)], ids=["curl", "httpx"])
def test_an_early_refusal_comes_through_nginx(
    nginx: str, post: Callable[..., Any], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.mp4"
    with wrong.open("wb") as file:
        file.truncate(200 * MIB)
    for _ in range(5):
        status, detail = post(f"{nginx}/video/submit", wrong, announced=post is curl)
        assert status == 400
        assert "does not begin with an ftyp box" in detail


def test_polls_about_every_five_seconds_are_never_reset(server: ServerProcess) -> None:
    """Five seconds is how often many clients ask, and how long uvicorn by itself lets a
    connection idle."""
    form = form_before_file() + FTYP + END

    def poll(seconds: float) -> None:
        connection = HTTPConnection(HOST, server.port, timeout=60)
        for path in ["/video/status/1", "/video/submit"] * 2:
            body = form if path == "/video/submit" else None
            headers = {"Content-Type": CONTENT_TYPE} if body else {}
            connection.request("POST" if body else "GET", path, body, headers)
            with connection.getresponse() as answer:
                assert answer.status == (200 if body else 422)
                answer.read()
            time.sleep(seconds)
        connection.close()

    with ThreadPoolExecutor(POLLERS) as threads:
        list(threads.map(poll, [4.98 + 0.04 * n / POLLERS for n in range(POLLERS)]))
