"""Proxies and certificates of the environment: they are used, or named in a line."""

import asyncio
import ssl
from pathlib import Path

import httpx2
import pytest
import trustme

from forgesyte_client import Client, ServerUnavailable
from forgesyte_client.environment import proxy_for
from tests.client.stub import answering, serving
from tests.client.test_async_client import ALL_IS_WELL, JOB_ID, quiet
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tools.local_server import free_port

AWAY = "http://forgesyte.invalid:8000"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_PROXY".upper(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ALL_PROXY", "socks5://u:secret@127.0.0.1:1", "ALL_PROXY names a SOCKS proxy"),
        ("http_proxy", "socks://127.0.0.1:1", "http_proxy does not name a proxy"),
        ("HTTP_PROXY", "http://[::1", "HTTP_PROXY does not name a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ServerUnavailable, match=message) as caught:
        Client(AWAY)
    assert "secret" not in str(caught.value)
    for url in ("http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"):
        Client(url).close()
    monkeypatch.setenv("NO_PROXY", "forgesyte.invalid")
    Client(AWAY).close()


def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("HTTP_PROXY", f"u:secret@{proxy}")
    with Client(AWAY, progress=False) as client:
        for call in (
            lambda: client.status(JOB_ID),
            lambda: client.submit(TINY_MP4, pipeline_id="ocr"),
        ):
            with pytest.raises(ServerUnavailable, match=f"HTTP_PROXY, the proxy http://{proxy}"):
                call()


def test_a_proxy_is_used_and_named_where_it_answers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        bad_gateway = answering(503, b"<html>")
        async with serving(ALL_IS_WELL, bad_gateway) as proxy:
            monkeypatch.setenv("all_proxy", proxy.url)
            async with quiet(AWAY, patience=0) as client:
                assert (await client.status(JOB_ID)).job_id == JOB_ID
                with pytest.raises(ServerUnavailable, match=f"all_proxy, the proxy {proxy.url} "):
                    await client.status(JOB_ID)
            assert proxy.requests == [f"GET {AWAY}/video/status/{JOB_ID} HTTP/1.1"] * 2

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://a.example", True),
        ("example", "http://a.example", True),
        (".a.example", "http://b.a.example", True),
        ("*.a.example", "http://B.a.example", True),
        ("a.example:81", "http://a.example:81", True),
        ("a.example:81", "http://a.example", False),
        ("b, 10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("[fd00::1]", "http://[fd00::1]", True),
        ("ample", "http://a.example", False),
        ("", "http://a.example", False),
        ("", "http://a.localhost", True),
    ],
)
def test_hosts_that_need_no_proxy(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, direct: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(httpx2.URL(url)) is None) is direct


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ServerUnavailable, match=r"SSL_CERT_FILE, .*none\.pem, cannot be read"):
        Client("https://127.0.0.1")

    async def ask() -> None:
        async with serving(ALL_IS_WELL) as stub, quiet(stub.url) as client:
            await client.status(JOB_ID)

    asyncio.run(ask())


def test_certificates_of_the_environment_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    async def ask() -> None:
        async with serving(ALL_IS_WELL, tls=server_side) as stub, quiet(stub.url) as client:
            await client.status(JOB_ID)

    asyncio.run(ask())


@pytest.mark.parametrize("url", [f"http://{'a' * 70}.invalid", "http://a..invalid"])
def test_a_name_that_no_host_can_have_is_an_error_of_the_client(url: str) -> None:
    with Client(url, progress=False) as client:
        for call in (
            lambda: client.status(JOB_ID),
            lambda: client.submit(TINY_MP4, pipeline_id="ocr"),
        ):
            with pytest.raises(ServerUnavailable, match="no answer"):
                call()
