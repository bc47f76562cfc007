"""A small tree to plant violations in, with what every tree must have."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tools.validate_phase16_path import WORKFLOW, judge

REPOSITORY = Path(__file__).parents[2]
DEMANDED = [".ci/run", "Makefile", "alembic.ini", "pyproject.toml", WORKFLOW]
DATABASE = "server/app/core/database.py"

Judge = Callable[[Mapping[str, str]], set[tuple[str, str]]]


def changed(path: str, old: str, new: str) -> dict[str, str]:
    """A file of the repository with one text in the place of another."""
    text = (REPOSITORY / path).read_text()
    assert old in text, f"{path} lacks {old!r}"
    return {path: text.replace(old, new)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in (*DEMANDED, DATABASE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / path, tmp_path / path)
    return tmp_path


@pytest.fixture
def judged(root: Path) -> Judge:
    """Plants files and says which rules are broken where."""

    def plant(files: Mapping[str, str]) -> set[tuple[str, str]]:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return {(violation.rule, violation.path) for violation in judge(root)[1]}

    return plant
