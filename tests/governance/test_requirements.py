"""Nothing that is required, directly or by something that is, is out of scope."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from importlib import metadata

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tests.docs.markdown import REPOSITORY, tracked_files
from tools.validate_phase16_path import RULES, load_rules

BANNED = {
    name
    for ban in load_rules(RULES).bans
    for name in (*ban.distributions, *map(canonicalize_name, ban.modules))
}

LISTS = re.compile(r"(.*/)?[\w.-]*(requirements|constraints)[\w.-]*\.(txt|in)|requirements/.*")
LOCKS = re.compile(r"(.*/)?([\w-]+\.lock|pylock[\w.]*\.toml)")


def stated(path: str, text: str) -> Iterator[str]:
    """Every requirement in a file, if it is one that requires something."""
    if path == "pyproject.toml":
        project = tomllib.loads(text)["project"]
        for entries in (
            project["dependencies"],
            *project.get("optional-dependencies", {}).values(),
        ):
            yield from entries
    elif LOCKS.fullmatch(path):
        yield from re.findall(r'^name = "(.+)"$', text, re.MULTILINE)
    elif LISTS.fullmatch(path):
        yield from re.findall(r"^([A-Za-z][^#\n;\\ ]*)", text, re.MULTILINE)


def out_of_scope(requirements: Iterable[str]) -> set[str]:
    names = with_their_own(requirements)
    return {name for name in names if any(fnmatchcase(name, banned) for banned in BANNED)}


def with_their_own(requirements: Iterable[str]) -> set[str]:
    """The names of what is required, alone and with extras, and of what that requires in turn, as
    far down as it is installed here."""
    found: set[str] = set()
    waiting = [*requirements]
    while waiting:
        try:
            requirement = Requirement(waiting.pop())
        except InvalidRequirement:
            continue  # an option of pip's
        name = canonicalize_name(requirement.name)
        named = {name, *(f"{name}[{canonicalize_name(extra)}]" for extra in requirement.extras)}
        if not named <= found:
            found |= named
            waiting += _needed_by(name, requirement.extras)
    return found


def _needed_by(name: str, extras: set[str]) -> Iterator[str]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        marker = Requirement(line).marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield line


def test_nothing_that_is_required_is_out_of_scope() -> None:
    files = [
        path
        for path in tracked_files()
        if path == "pyproject.toml" or LISTS.fullmatch(path) or LOCKS.fullmatch(path)
    ]
    assert {"pyproject.toml", "requirements-dev.txt"} <= {*files}
    required = [line for path in files for line in stated(path, (REPOSITORY / path).read_text())]
    assert {"fastapi", "pytest", "starlette"} <= with_their_own(required)
    assert out_of_scope(required) == set()


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("pyproject.toml", 'project.dependencies = ["uvicorn[standard]>=0.54"]', "websockets"),
        ("requirements-dev.txt", "hypothesis[redis]>=6  # why", "redis"),
        ("server/dev-requirements.in", "sqlalchemy[asyncio]>=2", "sqlalchemy[asyncio]"),
        ("requirements.txt", "a==1 \\\n    --hash=sha256:01\nfakeredis>=2", "fakeredis"),
        ("requirements/lock.txt", "psycopg2-binary==2.9", "psycopg2-binary"),
        ("uv.lock", '[[package]]\nname = "slowapi"\n', "slowapi"),
        ("pylock.toml", '[[packages]]\nname = "boto3-stubs"\n', "boto3-stubs"),
    ],
)
def test_a_requirement_out_of_scope_is_found(path: str, text: str, name: str) -> None:
    assert name in out_of_scope(stated(path, text))
