"""The distributions that the project declares, and what their extras bring along."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.governance.findings import CannotJudge
from tools.governance.lines import logical_lines
from tools.governance.makefile import MAKEFILE
from tools.governance.tree import PROJECT_FILE, Tree

REQUIRING_KEY = re.compile(r"requires|dependency-groups|([\w-]+-)?dependencies")
REQUIREMENTS_FILE = re.compile(
    r"(.*/)?([\w.-]*(requirements|constraints)[\w.-]*|requirements/.*)\.(txt|in)"
)
INCLUSION = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")
OPTION = re.compile(r"--(?!editable)")
THIS_PROJECT = re.compile(r"-e \.(\[[\w,-]+\])?")  # its extras are judged in PROJECT_FILE

SCRIPTS = (".ipynb", ".sh")
SCRIPT_FOLDERS = (".ci/", ".github/")
INSTALLATION = re.compile(r"\bpip3?\s+install\s+([^\n;&|`]*)")
REQUIREMENT_WORD = re.compile(r"[A-Za-z][\w.-]*(\[[\w,-]+\])?([<>=!~]=?[\w.*,<>=!~]*)?")


@dataclass(frozen=True)
class Declared:
    """A requirement where the project states it.

    `brought_in` is what its extras install, all the way down, by the metadata of what is installed
    here; `unknown` are the distributions among it that are not, so that nothing is known of theirs.
    """

    path: str
    line: int
    requirement: Requirement
    brought_in: tuple[Requirement, ...]
    unknown: tuple[str, ...]


def declared(tree: Tree) -> Iterator[Declared]:
    """Every requirement in pyproject.toml, in requirements files and in commands for pip."""
    yield from _in_project_file(tree)
    yield from _in_requirements_files(tree)
    for path in tree.paths:
        if path.endswith(SCRIPTS) or path == MAKEFILE or path.startswith(SCRIPT_FOLDERS):
            yield from _in_commands(tree, path)


def names_of(requirement: Requirement) -> tuple[str, ...]:
    """The canonical name, alone and with each extra: `uvicorn`, `uvicorn[standard]`."""
    name = canonicalize_name(requirement.name)
    return name, *(f"{name}[{canonicalize_name(extra)}]" for extra in sorted(requirement.extras))


def _declaration(stated: str, path: str, line: int) -> Declared:
    try:
        requirement = Requirement(stated)
    except InvalidRequirement as error:
        raise CannotJudge(f"{path}:{line}: {stated!r} is not a requirement.") from error
    found: dict[str, Requirement] = {}
    unknown = []
    waiting = [requirement] if requirement.extras else []
    while waiting:
        current = waiting.pop()
        try:
            needs = list(_direct(current, with_base=current is not requirement))
        except metadata.PackageNotFoundError:
            unknown.append(current.name)
            continue
        waiting += [need for need in needs if str(need) not in found]
        found |= {str(need): need for need in needs}
    return Declared(path, line, requirement, tuple(found.values()), tuple(sorted(unknown)))


def _direct(requirement: Requirement, *, with_base: bool) -> Iterator[Requirement]:
    """What the metadata of a distribution asks for on this machine because of the extras.

    `with_base` adds what it asks for in any case.
    """
    for line in metadata.requires(requirement.name) or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            if with_base:
                yield need
        elif any(need.marker.evaluate({"extra": extra}) for extra in requirement.extras):
            yield need


def _in_project_file(tree: Tree) -> Iterator[Declared]:
    text = tree.text(PROJECT_FILE)
    for stated in _statements(tree.project):
        line = text.count("\n", 0, max(text.find(stated), 0)) + 1
        yield _declaration(stated, PROJECT_FILE, line)


def _statements(table: dict[str, Any]) -> Iterator[str]:
    """What a project file requires, whichever build system or tool reads it there."""
    for key, value in table.items():
        if REQUIRING_KEY.fullmatch(key):
            yield from _entries(value)
        elif isinstance(value, dict):
            yield from _statements(value)


def _entries(value: object) -> Iterator[str]:
    """A list of requirements, groups of such lists, or a table with a version for each name."""
    match value:
        case list():
            yield from (entry for entry in value if isinstance(entry, str))
        case dict():
            for name, entry in value.items():
                if isinstance(entry, list):
                    yield from _entries(entry)
                elif name != "python":
                    yield name


def _in_requirements_files(tree: Tree) -> Iterator[Declared]:
    """Those that are named so, and the ones that they include."""
    waiting = [path for path in tree.paths if REQUIREMENTS_FILE.fullmatch(path)]
    read: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        if path in read:
            continue
        read.add(path)
        for line, raw in logical_lines(tree.text(path)):
            stated = re.split(r"(?:^|\s)(?:#|--hash\b)", raw)[0].strip()
            if included := INCLUSION.fullmatch(stated):
                waiting.append(posixpath.normpath(posixpath.join(path, "..", included[1])))
            elif stated and not THIS_PROJECT.fullmatch(stated) and not OPTION.match(stated):
                yield _declaration(stated, path, line)


def _in_commands(tree: Tree, path: str) -> Iterator[Declared]:
    for passage in tree.passages(path):
        for match in INSTALLATION.finditer(passage.text):
            line = passage.text.count("\n", 0, match.start()) + 1
            for word in re.findall(r"[^\s\"']+", match[1]):
                if REQUIREMENT_WORD.fullmatch(word):
                    yield _declaration(word, path, line)
