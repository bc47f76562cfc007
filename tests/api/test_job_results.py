from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient

from app.models.job import JobStatus
from app.services.results_document import write_results
from app.workers.runtime import Runtime
from tests.api.conftest import MakeJob

RESULTS = [{"frame_index": n, "result": {"text": f"frame {n} ✓"}} for n in range(3)]


def complete(runtime: Runtime, make_job: MakeJob) -> UUID:
    """A job taken to completed with a results file, as the worker leaves it."""
    job_id = make_job(JobStatus.PENDING)
    key = f"{job_id}_results.json"
    write_results(runtime.storage.root / key, job_id, RESULTS)
    runtime.database.call(runtime.store.claim, job_id)
    runtime.database.call(runtime.store.complete, job_id, key)
    return job_id


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
    ("wanted", "status"), [("bytes=2-9", 206), ("bytes=1000000-", 416), ("bytes=x", 400)]
)
def test_a_part_of_the_file_can_be_asked_for(
    client: TestClient, runtime: Runtime, make_job: MakeJob, wanted: str, status: int
) -> None:
    job_id = complete(runtime, make_job)
    response = client.get(f"/video/results/{job_id}", headers={"Range": wanted})
    assert response.status_code == status
    if status == 206:
        stored = runtime.storage.load_file(f"{job_id}_results.json").read_bytes()
        assert response.content == stored[2:10]


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
