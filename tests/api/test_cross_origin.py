"""What pages of other websites may do."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.core.errors import StartupError
from app.core.settings import Settings
from app.main import create_app

LISTED, OTHER = "https://studio.example", "https://other.example"


@pytest.fixture
def app(tmp_path: Path, test_pipelines: None, request: pytest.FixtureRequest) -> FastAPI:
    origins: tuple[str, ...] = getattr(request, "param", (LISTED,))
    return create_app(
        Settings(
            data_dir=tmp_path / "data",
            database_url="duckdb:///:memory:",
            shutdown_grace_seconds=0,
            cors_origins=origins,
        )
    )


def submit(client: TestClient, tiny: bytes, **headers: str) -> httpx2.Response:
    return client.post(
        "/video/submit",
        files={"file": ("x.mp4", tiny)},
        data={"pipeline_id": "nothing"},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


PAGES: dict[str, tuple[dict[str, str], int]] = {
    "no browser": ({}, 200),
    "no browser, though it names an origin": ({"Origin": OTHER}, 200),
    "the server's own page": ({"Sec_Fetch_Site": "same-origin", "Origin": "http://x"}, 200),
    "typed by a person": ({"Sec_Fetch_Site": "none"}, 200),
    "a listed page": ({"Sec_Fetch_Site": "cross-site", "Origin": LISTED}, 200),
    "another page": ({"Sec_Fetch_Site": "cross-site", "Origin": OTHER}, 403),
    "a page without an origin": ({"Sec_Fetch_Site": "cross-site", "Origin": "null"}, 403),
    "a page that hides it": ({"Sec_Fetch_Site": "cross-site"}, 403),
}


@pytest.mark.parametrize(("headers", "status"), PAGES.values(), ids=PAGES)
def test_no_website_fills_the_disk(
    client: TestClient, tiny: bytes, headers: dict[str, str], status: int, stored_files: Any
) -> None:
    response = submit(client, tiny, **headers)
    assert response.status_code == status
    if status == 403:
        assert "FORGESYTE_CORS_ORIGINS" in response.json()["detail"]
        assert response.headers["connection"] == "close"
        assert stored_files() == []


@pytest.mark.parametrize(("app", "allowed"), [((LISTED,), LISTED), (("*",), "*")], indirect=["app"])
def test_listed_pages_may_read(client: TestClient, allowed: str) -> None:
    answer = client.get("/video/status/1", headers={"Origin": LISTED})
    assert answer.status_code == 422
    assert answer.headers["access-control-allow-origin"] == allowed
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "POST"}
    preflight = client.options("/video/submit", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == allowed


@pytest.mark.parametrize(("app", "status"), [((LISTED,), 400), ((), 405)], indirect=["app"])
def test_other_pages_may_not(client: TestClient, status: int) -> None:
    answer = client.get("/video/status/1", headers={"Origin": OTHER})
    assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": OTHER, "Access-Control-Request-Method": "POST"}
    preflight = client.options("/video/submit", headers=asked)
    assert preflight.status_code == status
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        (
            "https://a.example, http://localhost:3000",
            ("https://a.example", "http://localhost:3000"),
        ),
        (" https://A.example ", ("https://a.example",)),
        ("*", ("*",)),
        ("", ()),
    ],
)
def test_origins_are_a_list(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FORGESYTE_CORS_ORIGINS", text)
    assert Settings.load().cors_origins == origins


@pytest.mark.parametrize("text", ["a.example", "https://a.example/", "ftp://a.example", "https://"])
def test_what_is_no_origin_ends_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FORGESYTE_CORS_ORIGINS", f"https://b.example,{text}")
    with pytest.raises(StartupError, match=r"^FORGESYTE_CORS_ORIGINS: .*https://example.com"):
        Settings.load()
