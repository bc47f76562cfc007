"""A copy of the tree to break, and the policy it is judged by."""

import shutil
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import pytest

from tests.governance.planting import REPOSITORY, Plant, planted
from tools.governance import tree
from tools.governance.policy import Policy, load_policy
from tools.governance.tree import VOCABULARY_FILE, Tree

JUDGED = ["server", ".github", ".ci", "Makefile", "alembic.ini", "pyproject.toml"]


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy(REPOSITORY / VOCABULARY_FILE)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree without its tests, which only cost time here; without Git, as an export is."""
    root = tmp_path_factory.mktemp("copy")
    for path in Tree(REPOSITORY).under([*JUDGED, "requirements-dev.txt"]):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / path, root / path)
    return root


@pytest.fixture
def plant(copy: Path) -> Plant:
    return partial(planted, copy)


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    """Files that a test leaves alone need no second parsing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "parse", cache(tree.parse))
        yield
