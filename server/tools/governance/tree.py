"""The files under judgment."""

import ast
import io
import json
import os
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from tools.governance.findings import CannotJudge
from tools.governance.literals import text_of
from tools.governance.references import Names

VOCABULARY_FILE = "server/tools/forbidden_vocabulary_phase16.yaml"
FUNCTIONAL_FOLDER = "server"
PROJECT_FILE = "pyproject.toml"
FUNCTIONAL_FILES = ("alembic.ini", PROJECT_FILE)

# Left behind by tools. What Git tracks is no criterion: an exported tree has no Git.
LEFTOVERS_AT_THE_ROOT = frozenset(
    {".eggs", ".git", ".nox", ".tox", ".venv", "build", "data", "dist", "htmlcov", "node_modules"}
)
LEFTOVERS_ANYWHERE = frozenset(
    {
        ".hypothesis",
        ".import_linter_cache",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    }
)
LEFTOVER_FILES = re.compile(r".*\.(pyc|swp)|\.DS_Store|\.coverage")

# Of these only the name is judged, unless they turn out to be text.
MEDIA = frozenset(
    {".gif", ".ico", ".jpeg", ".jpg", ".mp4", ".otf", ".png", ".ttf", ".webp", ".woff", ".woff2"}
)

PYTHON = (".py", ".pyi", ".pyw")

# IPython's own lines: a command, with or without a name for what it answers, and a question.
MAGIC = re.compile(r"(?m)^([ \t]*)(?:[\w, ]+=[ \t]*)?(?:[%!].*|\S.*\?)$")


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
    def calls(self) -> tuple[tuple[ast.Call, str], ...]:
        """Every call of what was imported, and the dotted path of that."""
        return tuple(
            (node, path)
            for node in self.nodes
            if isinstance(node, ast.Call)
            if (path := self.names.resolve(node.func))
        )

    @cached_property
    def strings(self) -> tuple[tuple[ast.expr, str], ...]:
        """Every string, of text or bytes, that literals make: alone, as f-strings or as sums."""
        return tuple(
            (node, text)
            for node in self.nodes
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
            if (text := text_of(node)) is not None
        )

    @cached_property
    def used_strings(self) -> tuple[tuple[ast.expr, str], ...]:
        """The strings that are a value of something, which a docstring is not."""
        prose = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}
        return tuple((node, text) for node, text in self.strings if id(node) not in prose)

    @cached_property
    def assembled_strings(self) -> tuple[tuple[ast.expr, str], ...]:
        """Strings that the source does not show as they are: escaped, or in parts."""
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

    @cached_property
    def project(self) -> dict[str, Any]:
        """What the project file says."""
        try:
            return tomllib.loads(self.text(PROJECT_FILE))
        except tomllib.TOMLDecodeError as error:
            raise CannotJudge(f"{PROJECT_FILE} cannot be parsed: {error}") from error

    def under(self, folders: Iterable[str]) -> Iterator[str]:
        """The files in `folders`, or that are named there themselves."""
        wanted = tuple(folders)
        beneath = tuple(f"{folder}/" for folder in wanted)
        return (path for path in self.paths if path in wanted or path.startswith(beneath))

    def text(self, path: str) -> str:
        if path not in self._texts:
            try:
                self._texts[path] = _decoded(path, (self.root / path).read_bytes())
            except (OSError, UnicodeDecodeError, SyntaxError) as error:
                raise CannotJudge(f"{path} cannot be read as text: {_cause(error)}") from error
        return self._texts[path]

    def passages(self, path: str) -> Iterator[Passage]:
        """All that a person can read in a file; of a notebook that leaves out the pictures."""
        if not path.endswith(".ipynb"):
            yield Passage(self.text(path))
            return
        notebook = self._notebook(path)
        for number, cell in enumerate(notebook.pop("cells"), start=1):
            yield Passage(_joined(cell.pop("source", "")), f" (cell {number})")
            yield Passage("\n".join(_texts(cell)), f" (output of cell {number})")
        yield Passage("\n".join(_texts(notebook)), " (metadata)")

    def modules(self, paths: Iterable[str]) -> Iterator[Module]:
        """The Python among `paths`, parsed."""
        for path in paths:
            if path not in self._modules:
                self._modules[path] = tuple(
                    parse(path, passage) for passage in self._python_passages(path)
                )
            yield from self._modules[path]

    def _python_passages(self, path: str) -> Iterator[Passage]:
        if path.endswith(PYTHON):
            yield Passage(self.text(path))
        elif path.endswith(".ipynb"):
            for number, cell in enumerate(self._notebook(path)["cells"], start=1):
                if cell.get("cell_type") == "code":
                    source = _without_magics(_joined(cell.get("source", "")))
                    yield Passage(source, f" (cell {number})")

    def _notebook(self, path: str) -> dict[str, Any]:
        try:
            notebook = json.loads(self.text(path))
            if all(isinstance(cell, dict) for cell in notebook["cells"]):
                return dict(notebook)
        except (ValueError, KeyError, TypeError) as error:
            raise CannotJudge(f"{path} is not a notebook: {_cause(error)}") from error
        raise CannotJudge(f"{path} is not a notebook: a cell is no mapping")


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
        yield from (
            (relative / name).as_posix() for name in files if not LEFTOVER_FILES.fullmatch(name)
        )


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
    nodes = tuple(node for node in ast.walk(syntax) if not isinstance(node, ast.expr_context))
    return Module(path, passage.note, passage.text, nodes, Names(nodes))


def _decoded(path: str, content: bytes) -> str:
    """The text of a file in the encoding that Python would read it in, or else in UTF-8."""
    encoding = "utf-8-sig"
    if path.endswith(PYTHON):
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    try:
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except UnicodeDecodeError:
        if PurePosixPath(path).suffix.lower() in MEDIA:
            return ""
        raise


def _joined(text: str | list[str]) -> str:
    """Notebooks keep a text as one string or as a list of its lines."""
    return text if isinstance(text, str) else "".join(text)


def _without_magics(source: str) -> str:
    """A cell with IPython's own lines put out of action, so that the rest parses where it is.

    A cell magic is left out, and with it a cell that is then not Python but, say, a shell's.
    """
    under_magic = source.startswith("%%")
    if under_magic:
        source = "\n" + source.partition("\n")[2]
    if not _parses(source):
        source = MAGIC.sub(r"\1pass", source)
    return "" if under_magic and not _parses(source) else source


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _texts(value: object) -> Iterator[str]:
    """Every string in a piece of a notebook, names of keys included, pictures left out."""
    match value:
        case str():
            yield value.removesuffix("\n")
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for key, item in value.items():
                yield key
                if not key.startswith("image/"):
                    yield from _texts(item)
