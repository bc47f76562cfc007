"""The files under judgment."""

import ast
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tools.governance.findings import CannotJudge
from tools.governance.references import Names

VOCABULARY_FILE = "server/tools/forbidden_vocabulary_phase16.yaml"
FUNCTIONAL_FOLDER = "server"
FUNCTIONAL_FILES = ("alembic.ini", "pyproject.toml")

# Left behind by tools. What Git tracks is no criterion: an exported tree has no Git.
LEFTOVERS_AT_THE_ROOT = frozenset({".git", ".venv", "build", "data", "dist"})
LEFTOVERS_ANYWHERE = frozenset(
    {".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)


@dataclass(frozen=True)
class Passage:
    """A piece of a file that is read as one text. `note` says where, when that is not the line."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Module:
    """Python source: a file, or a code cell of a notebook."""

    path: str
    note: str
    text: str
    nodes: tuple[ast.AST, ...]
    names: Names

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def strings(self) -> tuple[tuple[ast.Constant, str], ...]:
        """Every string literal, parts of f-strings and docstrings included."""
        return tuple(
            (node, node.value)
            for node in self.nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )

    @cached_property
    def assembled_strings(self) -> tuple[tuple[ast.Constant, str], ...]:
        """String literals that the source does not show as they are: escaped, or in parts."""
        return tuple((node, value) for node, value in self.strings if value not in self.text)


class Tree:
    """Every file beneath a root but build leftovers; paths are relative and use slashes.

    Raises, at once or when a file is read:
        CannotJudge: the root is not a ForgeSyte tree, or something in it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = tuple(sorted(_walk(root)))
        self._texts: dict[str, str] = {}
        self._modules: dict[str, tuple[Module, ...]] = {}
        for path in FUNCTIONAL_FILES:
            if path not in self.paths:
                raise CannotJudge(f"There is no {path} to judge: is this the project's root?")
        if not any(self.under([FUNCTIONAL_FOLDER])):
            raise CannotJudge(f"There is no file to judge in {FUNCTIONAL_FOLDER}/.")

    @cached_property
    def functional(self) -> tuple[str, ...]:
        """The files that make up the product; the vocabulary itself must hold what it forbids."""
        found = self.under([FUNCTIONAL_FOLDER, *FUNCTIONAL_FILES])
        return tuple(path for path in found if path != VOCABULARY_FILE)

    def under(self, folders: Iterable[str]) -> Iterator[str]:
        """The files in `folders`, or that are named there themselves."""
        wanted = tuple(folders)
        beneath = tuple(f"{folder}/" for folder in wanted)
        return (path for path in self.paths if path in wanted or path.startswith(beneath))

    def text(self, path: str) -> str:
        if path not in self._texts:
            try:
                self._texts[path] = (self.root / path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CannotJudge(f"{path} cannot be read as text: {_cause(error)}") from error
        return self._texts[path]

    def passages(self, path: str) -> Iterator[Passage]:
        """All that a person can read in a file; of a notebook that leaves out the pictures."""
        if not path.endswith(".ipynb"):
            yield Passage(self.text(path))
            return
        for number, cell in enumerate(self._cells(path), start=1):
            yield Passage(_joined(cell.get("source", "")), f" (cell {number})")
            for text in _readable_outputs(cell):
                yield Passage(text, f" (output of cell {number})")

    def modules(self, paths: Iterable[str]) -> Iterator[Module]:
        """The Python among `paths`, parsed."""
        for path in paths:
            if path not in self._modules:
                self._modules[path] = tuple(
                    parse(path, passage) for passage in self._python_passages(path)
                )
            yield from self._modules[path]

    def _python_passages(self, path: str) -> Iterator[Passage]:
        if path.endswith(".py"):
            yield Passage(self.text(path))
        elif path.endswith(".ipynb"):
            for number, cell in enumerate(self._cells(path), start=1):
                if cell.get("cell_type") == "code":
                    source = _without_magics(_joined(cell.get("source", "")))
                    yield Passage(source, f" (cell {number})")

    def _cells(self, path: str) -> list[dict[str, Any]]:
        try:
            notebook = json.loads(self.text(path))
            return list(notebook["cells"])
        except (ValueError, KeyError, TypeError) as error:
            raise CannotJudge(f"{path} is not a notebook: {_cause(error)}") from error


def _walk(root: Path) -> Iterator[str]:
    if not root.is_dir():
        raise CannotJudge(f"{root} is not a folder.")
    for folder, folders, files in os.walk(root, onerror=_refuse):
        at_root = Path(folder) == root
        folders[:] = [name for name in folders if not _is_leftover(Path(folder), name, at_root)]
        relative = Path(folder).relative_to(root)
        for name in folders:
            if (Path(folder) / name).is_symlink():
                raise CannotJudge(f"{(relative / name).as_posix()} links to a folder elsewhere.")
        yield from ((relative / name).as_posix() for name in files if not name.endswith(".pyc"))


def _is_leftover(folder: Path, name: str, at_root: bool) -> bool:
    if name in LEFTOVERS_ANYWHERE or name.endswith(".egg-info"):
        return True
    return at_root and (name in LEFTOVERS_AT_THE_ROOT or (folder / name / "pyvenv.cfg").exists())


def _refuse(error: OSError) -> None:
    raise CannotJudge(f"A folder cannot be listed: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """The reason alone: an OSError's full text names absolute paths."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def parse(path: str, passage: Passage) -> Module:
    """The module that a passage of Python is."""
    try:
        syntax = ast.parse(passage.text)
    except (SyntaxError, ValueError) as error:
        raise CannotJudge(f"{path} cannot be parsed: {error}{passage.note}") from error
    nodes = tuple(ast.walk(syntax))
    return Module(path, passage.note, passage.text, nodes, Names(nodes))


def _joined(text: str | list[str]) -> str:
    """Notebooks keep a text as one string or as a list of its lines."""
    return text if isinstance(text, str) else "".join(text)


def _without_magics(source: str) -> str:
    """IPython's own commands, blanked out so that the rest parses on the same lines."""
    if source.startswith("%%"):
        return ""
    lines = source.split("\n")
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def _readable_outputs(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell.get("outputs", []):
        yield _joined(output.get("text", ""))
        yield "\n".join(output.get("traceback", []))
        for kind, value in output.get("data", {}).items():
            if not kind.startswith("image/"):
                yield json.dumps(value) if isinstance(value, dict) else _joined(value)
