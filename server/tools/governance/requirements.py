"""The distributions that the project declares, and what their extras bring along."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.governance.findings import CannotJudge
from tools.governance.tree import PROJECT_FILE, Tree

THIS_PROJECT = re.compile(r"-e \.(\[[\w,-]+\])?")  # its extras are judged in PROJECT_FILE


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
    """Every requirement in pyproject.toml and in the requirements files beside it."""
    yield from _in_project_file(tree)
    for path in tree.paths:
        if path.startswith("requirements") and path.endswith((".txt", ".in")):
            yield from _in_requirements_file(tree, path)


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


def _statements(document: dict[str, Any]) -> Iterator[str]:
    project = document.get("project", {})
    yield from document.get("build-system", {}).get("requires", [])
    yield from project.get("dependencies", [])
    for extra in project.get("optional-dependencies", {}).values():
        yield from extra
    for group in document.get("dependency-groups", {}).values():
        yield from (entry for entry in group if isinstance(entry, str))


def _in_requirements_file(tree: Tree, path: str) -> Iterator[Declared]:
    for line, raw in enumerate(tree.text(path).splitlines(), start=1):
        stated = raw.partition(" #")[0].strip()
        if stated and not stated.startswith("#") and not THIS_PROJECT.fullmatch(stated):
            yield _declaration(stated, path, line)
