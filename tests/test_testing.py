"""The fixtures for the tests of others, used as others use them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TINY_MP4

CONFTEST = """
pytest_plugins = ["app.testing"]
"""

TESTS = f"""
import time
from pathlib import Path

import pytest
from forgesyte_client import Client, Rejected

VIDEO, FRAMES = {str(TINY_MP4)!r}, {FRAME_COUNT}


@pytest.mark.parametrize("turn", [1, 2])
def test_a_running_server(forgesyte_server, forgesyte_settings, turn):
    with Client(forgesyte_server) as client:
        assert len(client.run(VIDEO, pipeline_id="barcodes")) == FRAMES
    assert len(list(forgesyte_settings.video_dir.glob("*.mp4"))) == 1


def test_in_process(forgesyte_in_process):
    with open(VIDEO, "rb") as file:
        form = {{"files": {{"file": file}}, "data": {{"pipeline_id": "barcodes"}}}}
        job_id = forgesyte_in_process.post("/video/submit", **form).json()["job_id"]
    path, deadline = f"/video/status/{{job_id}}", time.monotonic() + 60
    while (job := forgesyte_in_process.get(path).json())["status"] in ("pending", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert job["status"] == "completed"
    results = forgesyte_in_process.get(f"/video/results/{{job_id}}").json()["results"]
    assert len(results) == FRAMES


class TestOtherSettings:
    @pytest.fixture
    def forgesyte_settings(self, forgesyte_settings):
        return forgesyte_settings.model_copy(update={{"max_upload_bytes": 1000}})

    def test_a_small_limit(self, forgesyte_server):
        with Client(forgesyte_server) as client, pytest.raises(Rejected, match="1000 bytes"):
            client.submit(VIDEO, pipeline_id="barcodes")


def test_a_server_that_cannot_start(forgesyte_server, forgesyte_settings):
    from app.testing import running_server

    settings = forgesyte_settings.model_copy(update={{"data_dir": Path("/dev/null")}})
    with pytest.raises(RuntimeError, match="did not start"), running_server(settings):
        pass
"""


def test_they_give_servers_and_applications(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_their_program.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=tmp_path,
        env=os.environ | {"FORGESYTE_MAX_UPLOAD_BYTES": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert re.search(r"^5 passed in", ended.stdout, re.MULTILINE), ended.stdout + ended.stderr
