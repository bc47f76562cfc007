import errno
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from app.api_routes.upload.staged_file import StagedFile
from app.models.job import JobStatus
from app.services.job_store import JobRecord, NewJob
from app.services.storage.local_storage import LocalStorage
from app.workers.runtime import Runtime

AllJobs = Callable[[], list[JobRecord]]
StoredFiles = Callable[[], list[str]]

FTYP = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42"


@pytest.fixture(autouse=True)
def nothing_is_picked_up(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what is submitted on the queue, where these tests look for it."""
    if hasattr(runtime, "worker"):
        monkeypatch.setattr(runtime.worker, "run_once", lambda: False)


def submit(client: TestClient, content: bytes, pipeline_id: str = "nothing") -> httpx2.Response:
    return client.post(
        "/video/submit",
        files={"file": ("video.mp4", content, "video/mp4")},
        data={"pipeline_id": pipeline_id},
    )


def test_answers_the_job_id_and_nothing_else(client: TestClient, tiny: bytes) -> None:
    response = submit(client, tiny)
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["job_id"]
    assert str(UUID(body["job_id"])) == body["job_id"]


def test_creates_a_pending_row_and_queues_its_id(
    client: TestClient, tiny: bytes, all_jobs: AllJobs, runtime: Runtime
) -> None:
    job_id = UUID(submit(client, tiny).json()["job_id"])
    (job,) = all_jobs()
    assert job.job_id == job_id
    assert job.status is JobStatus.PENDING
    assert job.pipeline_id == "nothing"
    assert job.input_path == f"{job_id}.mp4"
    assert job.output_path is None
    assert job.error_message is None
    assert runtime.queue.size() == 1
    assert runtime.queue.dequeue() == job_id


def test_stores_the_very_bytes(client: TestClient, tiny: bytes, runtime: Runtime) -> None:
    job_id = submit(client, tiny).json()["job_id"]
    assert runtime.storage.load_file(f"{job_id}.mp4").read_bytes() == tiny


def test_leaves_no_temporary_file(
    client: TestClient, tiny: bytes, stored_files: StoredFiles
) -> None:
    job_id = submit(client, tiny).json()["job_id"]
    assert stored_files() == [f"{job_id}.mp4"]


@pytest.mark.parametrize("size", [128 * 1024 - 1, 128 * 1024, 300_000, 2_000_000])
def test_stores_files_of_many_pieces(client: TestClient, runtime: Runtime, size: int) -> None:
    content = (FTYP + bytes(range(256)) * (size // 256 + 1))[:size]
    job_id = submit(client, content).json()["job_id"]
    assert runtime.storage.load_file(f"{job_id}.mp4").read_bytes() == content


def test_fields_come_in_either_order(client: TestClient, tiny: bytes) -> None:
    file_first = [
        ("file", ("video.mp4", tiny, "video/mp4")),
        ("pipeline_id", (None, "nothing")),
    ]
    for parts in (file_first, list(reversed(file_first))):
        assert client.post("/video/submit", files=parts).status_code == 200  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"short", "not an MP4"),
        (b"#EXTM3U\n#ftyp and more text", "not an MP4"),
        (b"ffconcat version 1.0\n# ftypisom\n", "not an MP4"),
        (b"\0" + FTYP, "not an MP4"),
        (b"\x00\x00\x00\x00" + FTYP[4:], "claims 0 bytes"),
        (b"\x00\x00\x00\x01" + FTYP[4:], "claims 1 bytes"),
        (b"\x00\x00\x00\x0d" + FTYP[4:], "claims 13 bytes"),
        (b"\x80\x00\x00\x00" + FTYP[4:], "claims 2147483648 bytes"),
        (FTYP.replace(b"ftypisom", b"ftypheic"), "still image"),
        (FTYP.replace(b"ftypisom", b"ftypavif"), "still image"),
        (FTYP.replace(b"ftypisom", b"ftypM4A "), "audio"),
        (FTYP.replace(b"ftypisom", b"ftypqt  "), "QuickTime"),
        (FTYP.replace(b"ftypisom", b"ftypjp2 "), "JPEG 2000"),
    ],
)
def test_refuses_what_is_not_an_mp4_and_leaves_nothing(
    client: TestClient,
    content: bytes,
    reason: str,
    all_jobs: AllJobs,
    stored_files: StoredFiles,
    runtime: Runtime,
) -> None:
    response = submit(client, content)
    assert response.status_code == 400
    assert reason in response.json()["detail"]
    assert all_jobs() == []
    assert stored_files() == []
    assert runtime.queue.size() == 0


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"avc1", b"dash", b"MSNV", b"xyz!"])
def test_accepts_any_other_brand(client: TestClient, brand: bytes) -> None:
    assert submit(client, FTYP.replace(b"ftypisom", b"ftyp" + brand)).status_code == 200


def test_extension_and_content_type_do_not_matter(client: TestClient, tiny: bytes) -> None:
    response = client.post(
        "/video/submit",
        files={"file": ("holiday.txt", tiny, "text/plain")},
        data={"pipeline_id": "nothing"},
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    "name", ["../../x", "nul\0.mp4", "x" * 3000, "\u202egpm.exe", "/etc/passwd", ""]
)
def test_client_file_names_are_never_used(
    client: TestClient, tiny: bytes, name: str, stored_files: StoredFiles
) -> None:
    response = client.post(
        "/video/submit",
        files={"file": (name, tiny, "video/mp4")},
        data={"pipeline_id": "nothing"},
    )
    if response.status_code == 200:
        assert stored_files() == [f"{response.json()['job_id']}.mp4"]
    else:
        assert response.status_code in (400, 422)
        assert stored_files() == []


@pytest.mark.parametrize("missing", ["file", "pipeline_id"])
def test_missing_field_is_named(
    client: TestClient, tiny: bytes, missing: str, stored_files: StoredFiles
) -> None:
    parts = {
        "file": ("video.mp4", tiny, "video/mp4"),
        "pipeline_id": (None, "nothing"),
    }
    del parts[missing]
    response = client.post("/video/submit", files=parts)  # type: ignore[arg-type]
    assert response.status_code == 422
    assert missing in response.json()["detail"]
    assert stored_files() == []


def test_unknown_pipeline_lists_the_known_ones(
    client: TestClient, tiny: bytes, all_jobs: AllJobs, stored_files: StoredFiles
) -> None:
    response = submit(client, tiny, "no_such")
    assert response.status_code == 422
    assert "boom, hold, nothing" in response.json()["detail"]
    assert all_jobs() == []
    assert stored_files() == []


def test_body_that_is_no_form_is_refused(client: TestClient) -> None:
    response = client.post("/video/submit", json={"pipeline_id": "nothing"})
    assert response.status_code == 400
    assert "multipart/form-data" in response.json()["detail"]


def test_two_files_are_refused(client: TestClient, tiny: bytes, stored_files: StoredFiles) -> None:
    part = ("file", ("video.mp4", tiny, "video/mp4"))
    response = client.post("/video/submit", files=[part, part], data={"pipeline_id": "nothing"})
    assert response.status_code == 400
    assert stored_files() == []


@pytest.mark.logs_errors
def test_refused_row_takes_its_file_with_it(
    client: TestClient,
    tiny: bytes,
    runtime: Runtime,
    stored_files: StoredFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(jobs: object) -> None:
        raise OperationalError("INSERT", {}, Exception("no"))

    with monkeypatch.context() as broken:
        broken.setattr(runtime.store, "_insert", refuse)
        response = submit(client, tiny)
        assert response.status_code == 503
        assert stored_files() == []
        assert runtime.queue.size() == 0
    assert submit(client, tiny).status_code == 200


@pytest.mark.parametrize("size", [100, 300_000])
@pytest.mark.parametrize(
    ("code", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EMFILE, 503)]
)
def test_disk_that_cannot_take_it_is_said_and_left_clean(
    client: TestClient,
    stored_files: StoredFiles,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    code: int,
    status: int,
) -> None:
    def refuse(self: LocalStorage, src: Path, dest_path: str) -> None:
        raise OSError(code, "refused")

    monkeypatch.setattr(LocalStorage, "save_file", refuse)
    response = submit(client, FTYP + bytes(size))
    assert response.status_code == status
    assert response.json()["detail"].startswith("The server")
    assert stored_files() == []


def refuse_to_remove(file: StagedFile) -> None:
    raise OSError(errno.EROFS, "refused")


@pytest.mark.logs_errors
def test_file_that_can_neither_be_kept_nor_removed_is_answered_with_the_first_reason(
    client: TestClient, tiny: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: LocalStorage, src: Path, dest_path: str) -> None:
        raise OSError(errno.ENOSPC, "refused")

    monkeypatch.setattr(LocalStorage, "save_file", full)
    monkeypatch.setattr(StagedFile, "remove", refuse_to_remove)
    assert submit(client, tiny).status_code == 507


@pytest.mark.logs_errors
def test_file_whose_temporary_name_stays_is_not_acknowledged(
    client: TestClient, tiny: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StagedFile, "remove", refuse_to_remove)
    assert submit(client, tiny).status_code == 503


def test_one_bad_row_does_not_take_its_neighbours(runtime: Runtime) -> None:
    taken = NewJob(uuid4(), "nothing", "a.mp4")
    others = [NewJob(uuid4(), "nothing", f"{n}.mp4") for n in range(3)]
    assert runtime.database.call(runtime.store.create, [taken]) == [None]
    outcomes = runtime.database.call(runtime.admit, [others[0], taken, *others[1:]])
    assert [outcome is None for outcome in outcomes] == [True, False, True, True]
    assert runtime.queue.size() == 3
