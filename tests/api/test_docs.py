"""The page at `/docs` works without a network, and describes what the routes do."""

import re
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from app.api_routes.error_handlers import STATUSES
from app.api_routes.schemas import EXAMPLE_ID
from app.models.job import JobStatus
from tests.api.conftest import MakeJob

LINKS = re.compile(r"""(?:src|href|url)(?:=|: )["']([^"']+)["']""")


def test_the_page_is_made_of_files_of_this_server(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "//" not in page.text
    types = {}
    for link in LINKS.findall(page.text):
        answer = client.get(f"/{link}")
        assert (link, answer.status_code) == (link, 200)
        types[link] = answer.headers["content-type"].partition(";")[0]
    assert types == {
        "docs/swagger-ui-bundle.js": "text/javascript",
        "docs/swagger-ui.css": "text/css",
        "docs/favicon.png": "image/png",
        "openapi.json": "application/json",
    }


def test_the_page_is_found_below_the_path_of_a_proxy(client: TestClient) -> None:
    below = TestClient(client.app, root_path="/jobs")
    page = below.get("/jobs/docs")
    assert page.status_code == 200
    for link in LINKS.findall(page.text):
        assert (link, below.get(f"/jobs/{link}").status_code) == (link, 200)


def test_other_methods_and_paths_are_none_of_its_business(client: TestClient) -> None:
    assert client.head("/docs").status_code == 200
    assert client.post("/docs").status_code == 405
    for path in ("/docs/main.py", "/docs/..%2fmain.py", "/redoc"):
        assert client.get(path).status_code == 404


@pytest.fixture
def operations(client: TestClient) -> dict[str, Any]:
    paths = client.get("/openapi.json").json()["paths"]
    return {
        operation["operationId"]: operation
        for path in paths.values()
        for operation in path.values()
    }


def documented(operation: dict[str, Any], status: int) -> list[str]:
    examples = operation["responses"][str(status)]["content"]["application/json"]["examples"]
    return [example["value"]["detail"] for example in examples.values()]


def test_every_error_is_described_with_an_example(operations: dict[str, Any]) -> None:
    described = set()
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        for status, response in operation["responses"].items():
            if status != "200":
                described.add(int(status))
                (body,) = response["content"].values()
                assert body["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert documented(operation, int(status))
    assert described == {status.value for status in STATUSES.values()} | {500}


def test_what_submit_refuses_is_said_in_the_documented_words(
    client: TestClient, operations: dict[str, Any], tiny: bytes
) -> None:
    submit = operations["submit_job"]
    file = {"file": ("x.mp4", tiny)}

    def detail(status: int, **form: Any) -> str:
        answer = client.post("/video/submit", **form)
        assert answer.status_code == status
        return str(answer.json()["detail"])

    text = {"file": ("x.mp4", b"This is not a video.")}
    assert detail(400, files=text, data={"pipeline_id": "nothing"}) in documented(submit, 400)
    assert detail(400, data={"pipeline_id": "nothing"}) in documented(submit, 400)
    assert detail(422, files=file) in documented(submit, 422)
    unknown = detail(422, files=file, data={"pipeline_id": "faces"})
    assert unknown.partition("; installed: ")[0] in str(documented(submit, 422))


def test_what_has_no_results_is_said_in_the_documented_words(
    client: TestClient, operations: dict[str, Any], make_job: MakeJob
) -> None:
    running = make_job(JobStatus.RUNNING)
    failed = make_job(
        JobStatus.FAILED, error_message="decoded 90 of 132 frames: the file is truncated"
    )
    gone = make_job(JobStatus.COMPLETED, output_path="gone.json")
    details = [
        client.get(f"/video/results/{job_id}").json()["detail"].replace(str(job_id), EXAMPLE_ID)
        for job_id in (running, failed, gone, uuid4())
    ]
    assert details == documented(operations["get_job_results"], 404)

    for name, path in (("get_job_status", "status"), ("get_job_results", "results")):
        complaint, _, _ = client.get(f"/video/{path}/1").json()["detail"].partition(", ")
        assert complaint in str(documented(operations[name], 422))
    answer = client.get(f"/video/status/{EXAMPLE_ID}")
    assert [answer.json()["detail"]] == documented(operations["get_job_status"], 404)
