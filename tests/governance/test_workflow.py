"""The workflow is well-formed, runs what a developer runs, and covers what is supported."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.governance.planting import REPOSITORY
from tools.governance.workflow import WORKFLOW

DOCUMENT = yaml.safe_load((REPOSITORY / WORKFLOW).read_text())
MATRIX = DOCUMENT["jobs"]["test"]["strategy"]["matrix"]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def steps(key: str) -> Iterator[Any]:
    for job in DOCUMENT["jobs"].values():
        for step in job["steps"]:
            if key in step:
                yield step[key]


def check(schema: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a workflow against a schema that check-jsonschema ships."""
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ("vendor.github-workflows", "runs-on"),
        ("custom.github-workflows-require-timeout", "timeout-minutes"),
    ],
)
def test_it_fits_the_schema_of_github(tmp_path: Path, schema: str, key: str) -> None:
    done = check(schema, REPOSITORY / WORKFLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    flawed = tmp_path / "workflow.yml"
    flawed.write_text((REPOSITORY / WORKFLOW).read_text().replace(key, "unheard-of"))
    assert check(schema, flawed).returncode == 1


def test_its_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    wanted = {name for script in steps("run") for name in re.findall(r"\bmake (\S+)", script)}
    assert {"governance", "test", "smoke"} <= wanted <= set(targets)


def test_its_actions_are_pinned_to_commits_and_say_which_version() -> None:
    lines = re.findall(r"uses: (.+)", (REPOSITORY / WORKFLOW).read_text())
    assert len(lines) == len(list(steps("uses")))
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", s) for s in lines)


def test_it_may_only_read() -> None:
    assert DOCUMENT["permissions"] == {"contents": "read"}


def test_it_covers_the_supported_pythons() -> None:
    assert MATRIX["python"] == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={MATRIX['python'][0]}"


def test_it_covers_both_ends_of_the_duckdb_range() -> None:
    (duckdb,) = (
        requirement
        for requirement in map(Requirement, PROJECT["dependencies"])
        if requirement.name == "duckdb"
    )
    lowest, newest = MATRIX["duckdb"]
    major, minor, _ = newest.split(".")
    assert duckdb.specifier == SpecifierSet(f">={lowest},<{major}.{int(minor) + 1}")
