"""Which methods a path takes, and what is said of others and of paths that are none."""

from uuid import uuid4

from starlette.testclient import TestClient

JOB = uuid4()
METHODS = {
    "/video/submit": "POST",
    f"/video/status/{JOB}": "GET, HEAD",
    f"/video/results/{JOB}": "GET, HEAD",
    "/": "GET, HEAD",
    "/page/page.js": "GET, HEAD",
    "/docs": "GET, HEAD",
    "/docs/favicon.png": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
}


def test_other_methods_are_told_all_that_there_are(client: TestClient) -> None:
    for path, allowed in METHODS.items():
        for method in ("DELETE", "GET", "OPTIONS", "PUT", "POST"):
            response = client.request(method, path)
            if method in allowed:
                assert response.status_code != 405
                continue
            assert response.status_code == 405
            assert response.headers["allow"] == allowed
            assert response.json() == {"detail": f"This path takes {allowed}."}


def test_head_answers_what_get_does_but_for_the_body(client: TestClient) -> None:
    for path in METHODS.keys() - {"/video/submit"}:
        head, get = client.head(path), client.get(path, headers={"Accept-Encoding": "identity"})
        assert head.content == b""
        assert (head.status_code, head.headers) == (get.status_code, get.headers)


def test_what_is_no_path_is_said(client: TestClient) -> None:
    for path in ("/video", "/x", *(f"{path}/" for path in METHODS if path != "/")):
        for method in ("GET", "POST"):
            response = client.request(method, path, follow_redirects=False)
            assert response.status_code == 404
            assert "without a slash at the end" in response.json()["detail"]
