"""The locks pin all that is installed from them, since pip is told to look for nothing else."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
ALONE = {entry["name"] for entry in PROJECT["tool"]["uv"]["dependency-metadata"]}
EXTRAS = PROJECT["project"]["optional-dependencies"]
ASKED_FOR = {
    "requirements.txt": [*PROJECT["project"]["dependencies"]],
    "requirements-dev.txt": [*PROJECT["project"]["dependencies"], *EXTRAS["notebook"]],
}

each_lock = pytest.mark.parametrize("name", ASKED_FOR)


def pins(name: str) -> dict[str, str]:
    """The version of each package that a lock installs on this machine."""
    text = (REPOSITORY / name).read_text()
    lines = map(Requirement, re.findall(r"^(\w.*) \\$", text, re.MULTILINE))
    return {
        canonicalize_name(line.name): str(line.specifier).removeprefix("==")
        for line in lines
        if line.marker is None or line.marker.evaluate()
    }


def asked_for(name: str) -> Iterator[Requirement]:
    lines = (REPOSITORY / name).with_suffix(".in").read_text().splitlines()
    yield from map(Requirement, [*ASKED_FOR[name], *(line for line in lines if line[0].isalpha())])


@each_lock
def test_all_that_is_asked_for_is_pinned(name: str) -> None:
    """And so is what that asks for, down to the last."""
    pinned = pins(name)
    waiting = [*asked_for(name)]
    seen = set()
    while waiting:
        need = waiting.pop()
        package = canonicalize_name(need.name)
        assert package in pinned, f"{need} is not pinned: make lock"
        assert need.specifier.contains(pinned[package], prereleases=True), need
        if package in seen or package in ALONE:
            continue
        seen.add(package)
        needs = map(Requirement, metadata.requires(package) or ())
        waiting += [one for one in needs if not one.marker or one.marker.evaluate({"extra": ""})]


def test_development_runs_on_the_same_versions() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


@each_lock
def test_every_file_is_known_by_its_hash_and_none_by_its_address(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    assert len(re.findall(r" \\\n    --hash=sha256:", text)) >= len(re.findall(r"==", text))
    assert "://" not in text
