"""A disk that becomes full while an upload comes in."""

from pathlib import Path

import httpx2
import pytest

from tests.faults.uploads.stored import lasting_files, videos
from tests.support.client import connect, status, submit
from tests.support.mounts import tmpfs
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.uploads import FTYP

MB = 1_000_000
DISK = 8 * MB
TOO_LARGE = FTYP + bytes(20 * MB)
FITS = FTYP + bytes(2 * MB)


def post(server: ServerProcess, video: bytes) -> httpx2.Response:
    with connect(server.base_url) as client:
        return client.post("/video/submit", files={"file": video}, data={"pipeline_id": "nothing"})


@pytest.mark.needs("mounts")
def test_it_is_said_and_nothing_is_left_and_the_next_upload_that_fits_is_taken(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "disk"
    with (
        tmpfs(folder, DISK),
        ServerProcess(folder / "data", plugins=[READY], args=["--no-access-log"]) as server,
    ):
        before = submit(server.base_url, FTYP, "nothing")
        for _ in range(3):
            answer = post(server, TOO_LARGE)
            assert answer.status_code == 507
            assert answer.json() == {"detail": "The server's disk is full; try again later."}
            assert status(server.base_url, before)["job_id"] == before
            assert lasting_files(server.data_dir) == videos({before})
        after = submit(server.base_url, FITS, "nothing")
        stored = server.data_dir / "video_jobs" / f"{after}.mp4"
        assert stored.stat().st_size == len(FITS)
        assert "ERROR" not in server.log()
