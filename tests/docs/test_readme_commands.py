"""The commands of the README run, in order, and print what stands below them."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.docs.clone import Clone
from tests.docs.markdown import REPOSITORY, Command, commands, section
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import wait_for
from tests.support.server import ServerProcess
from tools.local_server import AppProcess, LocalServer, wait_until

README = (REPOSITORY / "README.md").read_text()
COMMANDS = commands(README)
MAKE = [command.text for command in COMMANDS if command.text.startswith("make ")]
URL = "http://127.0.0.1:8000"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT[\d:.]+Z"
NUMBER = r"(?<=:)\d+(?:\.\d+)?(?=[,}])"
BIN = Path(sys.executable).parent

GO_ON = [
    command
    for command in COMMANDS
    if re.match(r"(forgesyte (serve|worker)|uvicorn)\b", command.text)
]
LATER = commands(section(README, "Looking after it"))  # test_looking_after.py has these
CALLS = [
    command for command in COMMANDS if command.text not in MAKE and command not in [*GO_ON, *LATER]
]


def masked(output: str) -> str:
    """Without what differs from run to run, and without spaces, which are for the reader."""
    text = re.sub(r"\s", "", output)
    for pattern, mask in (UUID, "ID"), (TIME, "TIME"), (NUMBER, "N"):
        text = re.sub(pattern, mask, text)
    return text


def prints(output: str, expected: str) -> bool:
    """Whether it begins as expected; … leaves something out."""
    pattern = ".*".join(map(re.escape, masked(expected).split("…")))
    return re.match(pattern, masked(output)) is not None


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_the_first_commands_work_in_a_fresh_clone(clone: Clone) -> None:
    """But for the second of them, make test, which is what runs this."""
    demo, _, serve = MAKE
    assert "EVERY FRAME IS READ" in clone.run(demo)
    server = LocalServer(
        clone.root / "data",
        command=["bash", "-c", f"exec {serve}"],
        env={"PYTHONPATH": clone.env["PYTHONPATH"]},
        cwd=clone.root,
    )
    del server.env["FORGESYTE_DATA_DIR"]
    with server:
        page = httpx2.get(f"{server.base_url}/", trust_env=False)
        assert page.status_code == 200
        assert (clone.root / "data/foregsyte.duckdb").is_file()
        os.killpg(server.pid, signal.SIGINT)  # as a terminal does
        server.wait(30)
        assert "Stopping on SIGINT" in server.log()


def test_the_demo_takes_a_video_of_one_s_own(clone: Clone) -> None:
    (command,) = re.findall(r"`(make demo \S[^`]*)`", README)
    shutil.copyfile(TINY_MP4, clone.root / "holiday.mp4")
    assert "completed" in clone.run(command)


def test_make_help_lists_all_commands(clone: Clone) -> None:
    listed = {line.split()[0] for line in clone.run("make help").splitlines()}
    makefile = (clone.root / "Makefile").read_text()
    assert listed == set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("command", GO_ON, ids=lambda command: command.text.split("#")[0])
def test_what_goes_on_starts(command: Command, tmp_path: Path) -> None:
    words = shlex.split(command.text, comments=True)
    free_port = {"FORGESYTE_PORT": "0", "UVICORN_PORT": "0"}
    process = AppProcess([str(BIN / words[0]), *words[1:]], tmp_path / "data", env=free_port)
    with process:
        wait_until(lambda: "Recovered: 0 pending" in process.log(), 60, "Starting")
        process.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as server:
        yield server


def test_every_call_prints_what_stands_below_it(server: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "tests/fixtures").mkdir(parents=True)
    for path in ("video.mp4", "tests/fixtures/tiny.mp4"):
        shutil.copyfile(TINY_MP4, folder / path)
    environment = os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "FORGESYTE_URL": server.base_url,
        "NO_PROXY": "*",
    }
    job_id = ""
    for command in CALLS:
        if job_id and re.search(UUID, command.text):
            wait_for(server.base_url, job_id, 60)
        script = re.sub(UUID, job_id, command.text).replace(URL, server.base_url)
        if shutil.which("jq") is None:
            script = re.sub(r"\| jq .*", "", script)
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {script}"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command.text}\n{done.stderr}"
        assert prints(done.stdout, command.output), f"{command.text}\n{done.stdout}"
        if found := re.search(UUID, done.stdout):
            job_id = found[0]
