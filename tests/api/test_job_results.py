from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.testclient import TestClient

from app.api_routes.stored_file import PIECE_BYTES
from app.models.job import JobStatus
from app.services.results_document import write_results
from app.workers.runtime import Runtime
from tests.api.conftest import MakeJob

RESULTS = [{"frame_index": n, "result": {"text": f"frame {n} ✓"}} for n in range(3)]


def complete(runtime: Runtime, make_job: MakeJob, times: int = 1) -> UUID:
    """A job taken to completed with a results file, as the worker leaves it."""
    job_id = make_job(JobStatus.PENDING)
    key = f"{job_id}_results.json"
    write_results(runtime.storage.root / key, job_id, times * RESULTS)
    runtime.database.call(runtime.store.claim, job_id)
    runtime.database.call(runtime.store.complete, job_id, key)
    return job_id


@dataclass(frozen=True)
class Stored:
    url: str
    content: bytes


@pytest.fixture
def large(runtime: Runtime, make_job: MakeJob) -> Stored:
    """Results that compression takes a few pieces for."""
    job_id = complete(runtime, make_job, 20_000)
    content = runtime.storage.load_file(f"{job_id}_results.json").read_bytes()
    assert len(content) > 2 * PIECE_BYTES
    return Stored(f"/video/results/{job_id}", content)


def test_answers_the_stored_document(
    client: TestClient, runtime: Runtime, make_job: MakeJob
) -> None:
    job_id = complete(runtime, make_job)
    response = client.get(f"/video/results/{job_id}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"job_id": str(job_id), "results": RESULTS}
    stored = runtime.storage.load_file(f"{job_id}_results.json").read_bytes()
    assert response.content == stored
    assert response.headers["content-length"] == str(len(stored))


def test_head_answers_the_length_without_the_body(
    client: TestClient, runtime: Runtime, make_job: MakeJob
) -> None:
    job_id = complete(runtime, make_job)
    response = client.head(f"/video/results/{job_id}")
    assert response.status_code == 200
    stored = runtime.storage.load_file(f"{job_id}_results.json").read_bytes()
    assert response.headers["content-length"] == str(len(stored))
    assert response.content == b""


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("bytes=2-9", 206),
        ("bytes=100000000-", 416),
        ("bytes=x", 400),
        ("items=2-9", 200),
        ("2-9", 200),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_part_of_the_file_can_be_asked_for(
    client: TestClient, large: Stored, wanted: str, status: int, encoding: str
) -> None:
    response = client.get(large.url, headers={"Range": wanted, "Accept-Encoding": encoding})
    assert response.status_code == status
    if status == 206:
        assert response.content == large.content[2:10]
        assert response.headers["content-range"] == f"bytes 2-9/{len(large.content)}"
    if status == 200:
        assert response.content == large.content
    assert client.head(large.url, headers={"Range": wanted}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate, GZIP;q=0.5, br", "gzip"),
        ("gzip; q=1.0", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000, br", None),
        ("identity", None),
        ("xgzip, br", None),
        ("", None),
    ],
)
def test_it_is_compressed_for_who_accepts_that(
    client: TestClient, large: Stored, accepted: str, encoding: str | None
) -> None:
    response = client.get(large.url, headers={"Accept-Encoding": accepted})
    assert response.content == large.content
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["vary"] == "Accept-Encoding"
    length = response.headers.get("content-length")
    assert length == (None if encoding else str(len(large.content)))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_who_has_it_is_told_so(client: TestClient, large: Stored, encoding: str) -> None:
    def ask(etag: str, method: str = "GET", **headers: str) -> httpx2.Response:
        headers |= {"If-None-Match": etag, "Accept-Encoding": encoding}
        return client.request(method, large.url, headers=headers)

    etag = client.get(large.url, headers={"Accept-Encoding": encoding}).headers["etag"]
    assert etag.startswith("W/") == (encoding == "gzip")
    for known in (etag, f'"other", {etag}', "*"):
        answer = ask(known)
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["vary"]) == (etag, "Accept-Encoding")
        assert "content-encoding" not in answer.headers
        assert ask(known, "HEAD").status_code == 304
        assert ask(known, Range="bytes=2-9").status_code == 304
    for unknown in ('"other"', "", etag.strip('"') + "x"):
        assert ask(unknown).status_code == 200


def test_a_part_of_what_was_compressed_is_none(client: TestClient, large: Stored) -> None:
    """A client may add to what it has only under a strong ETag: that of the file as it is."""

    def ask(etag: str) -> int:
        return client.get(large.url, headers={"Range": "bytes=2-9", "If-Range": etag}).status_code

    etags = [
        client.get(large.url, headers={"Accept-Encoding": encoding}).headers["etag"]
        for encoding in ("identity", "gzip")
    ]
    assert [ask(etag) for etag in etags] == [206, 200]


def test_results_are_read_from_storage_every_time(
    client: TestClient, runtime: Runtime, make_job: MakeJob
) -> None:
    job_id = complete(runtime, make_job)
    client.get(f"/video/results/{job_id}")
    write_results(runtime.storage.root / f"{job_id}_results.json", job_id, [])
    assert client.get(f"/video/results/{job_id}").json()["results"] == []


def test_unknown_job_is_404(client: TestClient) -> None:
    assert client.get(f"/video/results/{uuid4()}").status_code == 404


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RUNNING])
def test_unfinished_job_is_404_and_says_where_it_is(
    client: TestClient, make_job: MakeJob, status: JobStatus
) -> None:
    response = client.get(f"/video/results/{make_job(status)}")
    assert response.status_code == 404
    assert f"is {status.value}" in response.json()["detail"]


def test_failed_job_is_404_and_says_why(client: TestClient, make_job: MakeJob) -> None:
    job_id = make_job(JobStatus.FAILED, error_message="decoded 3 of 10 frames")
    response = client.get(f"/video/results/{job_id}")
    assert response.status_code == 404
    assert "decoded 3 of 10 frames" in response.json()["detail"]


def test_what_is_no_uuid_is_422(client: TestClient) -> None:
    response = client.get("/video/results/not-a-uuid")
    assert response.status_code == 422
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_results_that_somebody_deleted_are_a_404_that_says_so(
    client: TestClient, runtime: Runtime, make_job: MakeJob, method: str
) -> None:
    job_id = complete(runtime, make_job)
    runtime.storage.delete_file(f"{job_id}_results.json")
    response = client.request(method, f"/video/results/{job_id}")
    assert response.status_code == 404
    if method == "GET":
        assert response.json() == {
            "detail": f"The results of job {job_id} are gone from the storage."
        }


def test_results_of_a_submitted_video_arrive(client: TestClient, tiny: bytes) -> None:
    submitted = client.post(
        "/video/submit",
        files={"file": ("video.mp4", tiny, "video/mp4")},
        data={"pipeline_id": "nothing"},
    ).json()
    for _ in range(2000):
        status = client.get(f"/video/status/{submitted['job_id']}").json()["status"]
        if status in ("completed", "failed"):
            break
    assert status == "completed"
    document = client.get(f"/video/results/{submitted['job_id']}").json()
    assert document == {
        "job_id": submitted["job_id"],
        "results": [{"frame_index": n, "result": {}} for n in range(10)],
    }
