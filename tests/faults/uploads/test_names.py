"""Names that clients choose name nothing on disk."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.uploads.conftest import LIMIT
from tests.faults.uploads.stored import files, lasting_files, videos
from tests.support.client import wait_until
from tests.support.server import ServerProcess
from tests.support.uploads import (
    END,
    FTYP,
    connect,
    field,
    file_part,
    form_before_file,
    read_answer,
    request_head,
    submit_form,
)

PIPELINE = field("pipeline_id", b"nothing")
FILE_NAMES = {
    "parent folder": b"../../x",
    "absolute": b"/etc/passwd",
    "backslashes": b"..\\..\\x",
    "NUL": b"nul\0.mp4",
    "5,000 characters": b"x" * 5000,
    "right to left": "\u202e4pm.exe".encode(),
    "not UTF-8": b"\xff\xfe",
    "empty": b"",
}


def outside(server: ServerProcess) -> set[Path]:
    """Everything beside the data folder."""
    folder = server.data_dir.parent
    return {path for path in folder.rglob("*") if server.data_dir not in [path, *path.parents]}


@pytest.mark.parametrize("name", FILE_NAMES.values(), ids=FILE_NAMES)
def test_file_names_are_never_used(server: ServerProcess, name: bytes) -> None:
    inside, beside = lasting_files(server.data_dir), outside(server)
    answer = submit_form(server.port, PIPELINE, file_part(name) + FTYP)
    if answer.status == 200:
        inside |= videos({answer.job_id})
    else:
        assert answer.status in (400, 422)
        assert answer.detail
    wait_until(lambda: files(server.data_dir) == inside, 10, "What was uploaded, and no more")
    assert outside(server) == beside


JOB_IDS = {
    "parent folder": "../..",
    "parent folder, encoded": "%2e%2e",
    "a path, encoded": "..%2f..%2fforegsyte.duckdb",
    "upper case": str(uuid4()).upper(),
    "in braces": f"{{{uuid4()}}}",
    "with a suffix": f"{uuid4()}.mp4",
    "NUL": "%00",
    "not UTF-8": "%ff%fe",
    "too long": "0" * 5000,
    "empty": "",
}


@pytest.mark.parametrize("route", ["status", "results"])
@pytest.mark.parametrize("job_id", JOB_IDS.values(), ids=JOB_IDS)
def test_strange_job_ids_are_not_found(server: ServerProcess, route: str, job_id: str) -> None:
    with connect(server.port) as connection:
        connection.sendall(f"GET /video/{route}/{job_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = read_answer(connection)
    assert answer.status in (404, 422)
    assert answer.detail


def test_a_link_that_waits_under_the_video_s_name_is_not_followed(
    server: ServerProcess, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = server.data_dir / "video_jobs"
    before, content = form_before_file(), FTYP + bytes(LIMIT // 2)
    with connect(server.port) as connection:
        connection.sendall(request_head(len(before + content + END)) + before + content)
        wait_until(lambda: any(folder.glob(".incoming/*.part")), 10, "The upload's file")
        (part,) = folder.glob(".incoming/*.part")
        video = folder / f"{part.stem}.mp4"
        video.symlink_to(victim)
        connection.sendall(END)
        answer = read_answer(connection)
    assert answer.job_id == part.stem
    assert victim.read_text() == "untouched"
    assert not video.is_symlink()
    assert video.read_bytes() == content
