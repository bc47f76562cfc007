"""The notebook runs against the real server, and what it holds is what it shows."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from tests.support.server import ServerProcess
from tools.run_notebook import NOTEBOOK, run

MAX_BYTES = 200_000
SHOWN = ["ARE WE THERE YET", "ONE MORE HILL", "ALMOST HOME", "HERE WE ARE"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    with ServerProcess(tmp_path_factory.mktemp("notebook") / "data") as server:
        return run(server.base_url)


@pytest.fixture(scope="module")
def committed() -> NotebookNode:
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)
    return notebook


def outputs(notebook: NotebookNode) -> list[list[str]]:
    """For each cell, what kinds of output it has."""
    return [
        sorted(kind for output in cell.get("outputs", []) for kind in output.get("data", ["text"]))
        for cell in notebook.cells
    ]


def printed(notebook: NotebookNode) -> str:
    """All text that the cells printed or returned."""
    texts: list[Any] = [
        output.get("text") or output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]
    return "\n".join(texts)


def test_it_shows_words_a_table_a_timeline_and_frames(executed: NotebookNode) -> None:
    text = printed(executed)
    for words in ("completed", "50 frames, the first: ARE WE THERE YET", "3/3", *SHOWN):
        assert words in text
    assert "132 frames of the other video, measured beside it" in text
    for name in ("bikes", "carphone_pristine", "carphone_distorted"):
        assert re.search(rf"^{name}\.mp4: \d+ frames$", text, re.MULTILINE)
    assert "400 The file is not an MP4" in text
    kinds = [kind for cell in outputs(executed) for kind in cell]
    assert kinds.count("image/jpeg") == 5
    assert kinds.count("text/html") == 2
    assert "shots begin at [0, 30, 76, 137, 187, 242]" in text
    for label in ("person", "car", "bicycle"):
        assert re.search(rf"^{label} +\d+ +0\.\d+$", text, re.MULTILINE)
    assert not [cell for cell in executed.cells if "stderr" in str(cell.get("outputs"))]


def test_the_outputs_in_it_are_of_the_same_kinds(
    executed: NotebookNode, committed: NotebookNode
) -> None:
    assert [cell.source for cell in executed.cells] == [cell.source for cell in committed.cells]
    assert outputs(executed) == outputs(committed)


def test_it_is_small_and_tells_nothing_of_the_machine_that_ran_it(committed: NotebookNode) -> None:
    assert Path(NOTEBOOK).stat().st_size < MAX_BYTES
    assert not re.search(r"/(?:tmp|home|root|work|usr|var)\b", printed(committed))
