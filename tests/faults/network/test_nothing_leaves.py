"""The server reaches for no address at all, whatever it is asked to do."""

import re
import sys
from pathlib import Path

import httpx2
import pytest

from app.services.pipelines.registry import PipelineRegistry
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import results, submit, wait_for, wait_until
from tests.support.server import ServerProcess

ADDRESSED = "connect,sendto,sendmsg,sendmmsg"  # the calls that can name an address
INTERNET = "AF_INET"  # and AF_INET6


@pytest.mark.needs("strace")
def test_nothing_is_connected_to(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    traced = ["strace", "--daemonize", "--follow-forks", f"--output={log}", f"--trace={ADDRESSED}"]
    server = ServerProcess(tmp_path / "data", command=[*traced, sys.executable, "-m", "app"])
    with server:
        assert httpx2.get(f"{server.base_url}/", trust_env=False).status_code == 200
        for pipeline_id in PipelineRegistry().ids():
            job_id = submit(server.base_url, TINY_MP4, pipeline_id)
            assert wait_for(server.base_url, job_id, 100)["status"] == "completed"
            assert results(server.base_url, job_id)["results"]
        server.stop()
        end = re.compile(rf"^{server.pid} +\+\+\+ ", re.MULTILINE)
        wait_until(lambda: bool(end.search(log.read_text())), 30, "The end of the trace")
    calls = log.read_text().splitlines()
    assert not [call for call in calls if INTERNET in call]
