"""The bars: in a terminal they tell how far it is, elsewhere nothing is printed."""

import io
import os
import re
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from forgesyte_client import Client
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.server import ServerProcess


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_upload_is_shown(server: ServerProcess, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(TINY_MP4.read_bytes())  # zeros at the end do it no harm
    os.truncate(video, 256 << 20)
    with redirect_stderr(Terminal()) as terminal, Client(server.base_url) as client:
        client.run(video, pipeline_id="nothing")
    assert re.search(r"video\.mp4: +[1-9]\d*%\|.*/256M \[", terminal.getvalue())
    assert terminal.getvalue().rpartition("\r")[2].startswith("video.mp4: completed [")


def test_the_job_is_shown(server: ServerProcess) -> None:
    with redirect_stderr(Terminal()) as terminal, Client(server.base_url) as client:
        client.run(TINY_MP4, pipeline_id="sleep")
    shown = terminal.getvalue()
    assert shown.index("tiny.mp4: running") < shown.index("tiny.mp4: completed")


def test_waiting_alone_names_the_job(server: ServerProcess) -> None:
    with Client(server.base_url, progress=False) as client:
        job_id = client.submit(TINY_MP4, pipeline_id="nothing")
    with redirect_stderr(Terminal()) as terminal, Client(server.base_url) as client:
        client.wait(job_id)
    assert f"{job_id}: completed" in terminal.getvalue()


def test_many_files_are_counted(server: ServerProcess) -> None:
    with redirect_stderr(Terminal()) as terminal, Client(server.base_url) as client:
        assert len(list(client.run_many([TINY_MP4] * 3, pipeline_id="nothing"))) == 3
    assert "3/3" in terminal.getvalue()


def test_the_bars_can_be_turned_off(server: ServerProcess) -> None:
    with redirect_stderr(Terminal()) as terminal, Client(server.base_url, progress=False) as client:
        client.run(TINY_MP4, pipeline_id="nothing")
        list(client.run_many([TINY_MP4], pipeline_id="nothing"))
    assert terminal.getvalue() == ""


def test_nothing_is_printed_elsewhere(
    server: ServerProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    with Client(server.base_url) as client:
        client.run(TINY_MP4, pipeline_id="nothing")
    assert capfd.readouterr() == ("", "")
