"""What is read of a tree, and what makes it unreadable."""

import json
from pathlib import Path

import pytest

from tools.governance.findings import CannotJudge
from tools.governance.tree import Tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "pyproject.toml", "alembic.ini", "server/app/main.py")
    return tmp_path


def write(root: Path, *paths: str, text: str = "") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def test_build_leftovers_are_not_read(root: Path) -> None:
    known = Tree(root).paths
    write(
        root,
        ".git/HEAD",
        ".venv/lib/x.py",
        "other-environment/pyvenv.cfg",
        "other-environment/lib/x.py",
        "data/video_jobs/x.py",
        "build/x.py",
        "dist/x.py",
        "server/forgesyte.egg-info/PKG-INFO",
        "server/app/__pycache__/main.cpython-311.pyc",
        "server/.ruff_cache/x",
        "tests/.hypothesis/x",
        "server/notebooks/.ipynb_checkpoints/x-checkpoint.ipynb",
        "server/app/.main.py.swp",
        "server/.DS_Store",
        ".coverage",
        ".tox/py311/x.py",
        ".nox/x.py",
        ".eggs/x.py",
        "node_modules/x.py",
        "htmlcov/index.html",
    )
    assert Tree(root).paths == known


@pytest.mark.parametrize(
    "path",
    [
        "server/app/data/x.py",
        "server/build/x.py",
        "server/app/.venv/x.py",
        "server/app/environment/pyvenv.cfg",
        "server/app/__pycache__/x.py",
        "server/app/node_modules/x.py",
    ],
)
def test_what_only_looks_like_a_leftover_is_read(root: Path, path: str) -> None:
    write(root, path)
    assert path in Tree(root).functional


def test_functional_are_the_server_and_its_configuration(root: Path) -> None:
    write(root, "README.md", "tests/x.py", "serverless/x.py", "server/tools/x.sh")
    assert Tree(root).functional == (
        "alembic.ini",
        "pyproject.toml",
        "server/app/main.py",
        "server/tools/x.sh",
    )


@pytest.mark.parametrize("missing", ["pyproject.toml", "alembic.ini"])
def test_a_tree_without_its_configuration_is_refused(root: Path, missing: str) -> None:
    (root / missing).unlink()
    with pytest.raises(CannotJudge, match=f"no {missing} to judge"):
        Tree(root)


def test_a_tree_without_functional_files_is_refused(root: Path) -> None:
    (root / "server/app/main.py").unlink()
    with pytest.raises(CannotJudge, match="no file to judge in server/"):
        Tree(root)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotJudge, match="not a folder"):
        Tree(tmp_path / "missing")


def test_a_link_to_a_folder_is_refused(root: Path) -> None:
    (root / "server/app/elsewhere").symlink_to(root.parent, target_is_directory=True)
    with pytest.raises(CannotJudge, match="server/app/elsewhere links to a folder elsewhere"):
        Tree(root)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"caf\xe9"])
def test_a_file_that_is_no_text_is_refused(root: Path, content: bytes) -> None:
    (root / "server/app/x.py").write_bytes(content)
    with pytest.raises(CannotJudge, match=r"server/app/x\.py cannot be read as text"):
        Tree(root).text("server/app/x.py")


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfx = 'caf\xc3\xa9'\r\n", b"# coding: latin-1\nx = 'caf\xe9'\n"]
)
def test_python_is_read_in_its_own_encoding(root: Path, content: bytes) -> None:
    (root / "server/app/x.py").write_bytes(content)
    assert Tree(root).text("server/app/x.py").endswith("x = 'café'\n")
    (module,) = Tree(root).modules(["server/app/x.py"])
    assert [value for _, value in module.strings] == ["café"]


def test_of_a_picture_the_name_is_enough(root: Path) -> None:
    (root / "server/app/logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    (root / "server/app/text.png").write_text("no picture")
    assert "server/app/logo.png" in Tree(root).functional
    assert Tree(root).text("server/app/logo.png") == ""
    assert Tree(root).text("server/app/text.png") == "no picture"


def test_a_link_to_nothing_is_refused_without_naming_folders_outside(root: Path) -> None:
    (root / "server/app/x.py").symlink_to(root / "missing")
    with pytest.raises(CannotJudge) as caught:
        Tree(root).text("server/app/x.py")
    assert str(root) not in str(caught.value)


def test_python_that_does_not_parse_is_refused(root: Path) -> None:
    write(root, "server/app/x.py", text="def f(:\n")
    with pytest.raises(CannotJudge, match=r"server/app/x\.py cannot be parsed"):
        list(Tree(root).modules(["server/app/x.py"]))


NOTEBOOK = {
    "metadata": {"title": "titled", "authors": [{"name": "written by"}]},
    "cells": [
        {
            "cell_type": "markdown",
            "source": ["about\n", "jobs"],
            "attachments": {"attached.png": {"image/png": "picture"}},
        },
        {
            "cell_type": "code",
            "metadata": {"tags": ["tagged"]},
            "source": ["%matplotlib inline\n", "!ls\n", "import redis\n"],
            "outputs": [
                {"output_type": "stream", "text": ["printed\n"]},
                {
                    "output_type": "display_data",
                    "data": {
                        "image/png": "picture",
                        "text/plain": ["shown"],
                        "application/json": [{"key": "listed"}, 5, None],
                    },
                },
                {
                    "output_type": "error",
                    "ename": "named",
                    "evalue": "told",
                    "traceback": ["raised"],
                },
            ],
        },
        {"cell_type": "code", "source": "%%bash\nif then", "outputs": []},
    ],
}


def test_of_a_notebook_sources_and_text_outputs_are_read(root: Path) -> None:
    write(root, "server/x.ipynb", text=json.dumps(NOTEBOOK))
    passages = list(Tree(root).passages("server/x.ipynb"))
    read = "\n".join(passage.text for passage in passages)
    words = "about attached.png tagged redis printed shown listed named told raised titled by"
    assert all(word in read for word in words.split())
    assert "picture" not in read
    assert passages[0].note == " (cell 1)"


def test_of_a_notebook_the_python_is_parsed(root: Path) -> None:
    write(root, "server/x.ipynb", text=json.dumps(NOTEBOOK))
    modules = list(Tree(root).modules(["server/x.ipynb"]))
    assert [module.names.references for module in modules] == [((3, "redis"),), ()]


@pytest.mark.parametrize(
    "source",
    [
        "%%time\nimport redis",
        "%%capture\n%matplotlib inline\nimport redis",
        "if True:\n    %time x\nimport redis",
        "files = !ls\nimport redis",
        "taken = %timeit -o x\nimport redis",
        "redis?\nimport redis",
    ],
)
def test_commands_of_ipython_hide_no_python(root: Path, source: str) -> None:
    cells = [{"cell_type": "code", "source": source}]
    write(root, "server/x.ipynb", text=json.dumps({"cells": cells}))
    (module,) = Tree(root).modules(["server/x.ipynb"])
    assert [path for _, path in module.names.references] == ["redis"]


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"cells": [1]}'])
def test_a_notebook_that_is_none_is_refused(root: Path, text: str) -> None:
    write(root, "server/x.ipynb", text=text)
    with pytest.raises(CannotJudge, match=r"server/x\.ipynb is not a notebook"):
        list(Tree(root).passages("server/x.ipynb"))
