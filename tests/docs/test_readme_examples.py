"""The Python in the README runs, against the real server, and the commands in it exist."""

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.commands import cli
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TEXT, TINY_MP4
from tests.support.server import ServerProcess

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
URL = "http://127.0.0.1:8000"


def block_with(text: str) -> str:
    (block,) = [block for block in BLOCKS if text in block]
    return block


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("readme") / "data") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the files that the examples speak of."""
    (tmp_path / "video.mp4").write_bytes(TINY_MP4.read_bytes())
    (tmp_path / "notes.txt").write_text("Remember the milk, and the bread, and the cheese.")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_block(block: str, server: ServerProcess) -> dict[str, Any]:
    """Run it as a notebook does, where `await` stands alone; the names that it has defined."""
    assert URL in block
    source = block.replace(URL, server.base_url)
    names: dict[str, Any] = {}
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)
    return names


@pytest.mark.usefixtures("folder")
def test_plain_httpx_takes_ten_lines(server: ServerProcess) -> None:
    block = block_with("import httpx\n")
    names = run_block(block, server)
    assert [frame["result"]["text"] for frame in names["results"]] == [TEXT] * FRAME_COUNT
    assert len(re.findall(r"^.*\S", block, re.MULTILINE)) <= 10


@pytest.mark.usefixtures("folder")
def test_the_client_s_example(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    run_block(block_with("AsyncClient("), server)
    printed = capsys.readouterr().out
    assert printed.count(TEXT) == FRAME_COUNT
    assert f"video.mp4 {FRAME_COUNT} frames" in printed
    assert "notes.txt The file is not an MP4" in printed


def test_the_example_of_a_test(folder: Path) -> None:
    (folder / "conftest.py").write_text('pytest_plugins = ["app.testing"]\n')
    (folder / "test_program.py").write_text(block_with("forgesyte_server"))
    (folder / "pytest.ini").write_text("[pytest]\n")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert re.search(r"^2 passed in", ended.stdout, re.MULTILINE), ended.stdout + ended.stderr


def test_every_command_exists() -> None:
    commands = {
        command.callback.__name__ for command in cli.registered_commands if command.callback
    }
    assert set(re.findall(r"^\$ forgesyte (\w+)", README, re.MULTILINE)) == commands
