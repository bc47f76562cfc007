"""The server reaches for nothing but its own, whatever it is asked to do."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.services.pipelines.registry import PipelineRegistry
from tests.faults.durability.strace import whole_calls
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import results, submit, wait_for, wait_until
from tests.support.server import ServerProcess
from tools import smoke_test

ADDRESSED = "socket,connect,sendto,sendmsg,sendmmsg"  # the calls that reach for an address
NAMED = "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat"
CHANGING = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)|^\d+ +(creat|mkdir|rename|link|symlink)")
RESOLVER = re.compile(r"resolv\.conf|nsswitch|/etc/hosts|nscd")
DEVICES = ("/dev/null", "/dev/tty", "/proc/self/")


@pytest.mark.needs("strace")
def test_a_job_of_every_pipeline_stays_on_the_machine_and_in_its_folders(tmp_path: Path) -> None:
    """The home folder and that of caches are not the server's; nor is any library's."""
    log, home, temporary = tmp_path / "calls", tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    traced = ["strace", "--daemonize", "--follow-forks", "--string-limit=4096", f"--output={log}"]
    traced += [f"--trace={ADDRESSED},{NAMED}", sys.executable, "-m", "app"]
    env = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"ORT_DISABLE_TELEMETRY": "0", "XDG_CACHE_HOME": str(home / "cache")}
    server = ServerProcess(tmp_path / "data", command=traced, env=env)
    with server:
        assert httpx2.get(f"{server.base_url}/", trust_env=False).status_code == 200
        for pipeline_id in PipelineRegistry().ids():
            job_id = submit(server.base_url, TINY_MP4, pipeline_id)
            assert wait_for(server.base_url, job_id, 100)["status"] == "completed"
            assert results(server.base_url, job_id)["results"]
        server.stop()
        end = re.compile(rf"^{server.pid} +\+\+\+ ", re.MULTILINE)
        wait_until(lambda: bool(end.search(log.read_text())), 30, "The end of the trace")
    calls = [*whole_calls(log.read_text().splitlines())]
    assert len([call for call in calls if "socket(AF_INET" in call]) == 1  # it listens on one
    assert not [call for call in calls if "connect(" in call]
    assert not [call for call in calls if "AF_INET" in call and "send" in call]
    assert not [call for call in calls if RESOLVER.search(call)]
    assert not [call for call in calls if "libGL" in call and "ENOENT" not in call]
    own = (str(tmp_path / "data"), str(temporary), *DEVICES)
    assert not [path for path in changed(calls) if not path.startswith(own)]
    assert not [*home.iterdir()]


def changed(calls: list[str]) -> Iterator[str]:
    """The absolute paths in the calls that make, write or move something."""
    for call in calls:
        if CHANGING.search(call) and " = -1 " not in call:
            yield from re.findall(r'"(/[^"]*)"', call)


@pytest.mark.needs("namespaces")
def test_jobs_run_where_there_is_no_network() -> None:
    """With a loopback of its own, and nothing else."""
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "alone"]
    done = subprocess.run(
        [*alone, sys.executable, smoke_test.__file__],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
