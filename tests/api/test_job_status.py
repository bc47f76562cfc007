import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from app.models.job import JobStatus
from tests.api.conftest import MakeJob


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        (JobStatus.PENDING, 0),
        (JobStatus.RUNNING, 0.5),
        (JobStatus.COMPLETED, 1.0),
        (JobStatus.FAILED, 1.0),
    ],
)
def test_answers_status_and_progress(
    client: TestClient, make_job: MakeJob, status: JobStatus, progress: float
) -> None:
    job_id = make_job(status, error_message="not for here")
    response = client.get(f"/video/status/{job_id}")
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["job_id", "status", "progress", "created_at", "updated_at"]
    assert body["job_id"] == str(job_id)
    assert body["status"] == status.value
    assert body["progress"] == progress


def test_times_are_utc_and_say_so(client: TestClient, make_job: MakeJob) -> None:
    body = client.get(f"/video/status/{make_job()}").json()
    for field in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body[field])
        moment = datetime.fromisoformat(body[field])
        assert abs(datetime.now(UTC) - moment) < timedelta(seconds=10)


def test_unknown_job_is_404(client: TestClient) -> None:
    job_id = uuid4()
    response = client.get(f"/video/status/{job_id}")
    assert response.status_code == 404
    assert str(job_id) in response.json()["detail"]


@pytest.mark.parametrize("job_id", ["not-a-uuid", "1", "%2e%2e", "x" * 3000])
def test_what_is_no_uuid_is_refused(client: TestClient, job_id: str) -> None:
    response = client.get(f"/video/status/{job_id}")
    assert response.status_code == 422
    assert response.json()["detail"].startswith("job_id: ")


def test_what_leads_elsewhere_is_not_found(client: TestClient) -> None:
    response = client.get("/video/status/..%2f..")
    assert response.status_code == 404
    assert isinstance(response.json()["detail"], str)


def test_other_spellings_of_a_uuid_name_the_same_job(client: TestClient, make_job: MakeJob) -> None:
    job_id = make_job()
    for spelling in (str(job_id).upper(), f"{{{job_id}}}", job_id.hex):
        assert client.get(f"/video/status/{spelling}").json()["job_id"] == str(job_id)


@pytest.mark.logs_errors
def test_broken_database_is_503_without_details(
    client: TestClient, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from app.services.job_store import JobStore

    def refuse(self: JobStore, job_ids: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("/secret/path"))

    job_id = make_job()
    monkeypatch.setattr(JobStore, "get", refuse)
    response = client.get(f"/video/status/{job_id}")
    assert response.status_code == 503
    assert "secret" not in response.text
