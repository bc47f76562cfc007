"""The workflow is in good health, and runs the tests on what the project supports."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.docs.markdown import REPOSITORY

WORKFLOW = REPOSITORY / ".github/workflows/phase16_validation.yml"
TEXT = WORKFLOW.read_text()
MATRIX = yaml.safe_load(TEXT)["jobs"]["test"]["strategy"]["matrix"]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


CHECK = (sys.executable, "-m", "check_jsonschema", "--builtin-schema")


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        ([*CHECK, "vendor.github-workflows"], "runs-on", "unheard-of"),
        ([*CHECK, "custom.github-workflows-require-timeout"], "timeout-minutes", "unheard-of"),
        (
            [str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress"],
            *("permissions:\n  contents: read", "permissions: write-all"),
        ),
    ],
    ids=["schema", "timeout", "zizmor"],
)
def test_it_is_in_good_health(tmp_path: Path, check: list[str], old: str, new: str) -> None:
    assert old in TEXT
    flawed = tmp_path / ".github/workflows/flawed.yml"
    flawed.parent.mkdir(parents=True)
    flawed.write_text(TEXT.replace(old, new))
    sound, unsound = (
        subprocess.run([*check, path], capture_output=True, text=True, check=False)
        for path in (WORKFLOW, flawed)
    )
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert unsound.returncode != 0


def test_it_covers_the_supported_pythons() -> None:
    classified = [name.rpartition(":: ")[2] for name in PROJECT["classifiers"] if ":: 3." in name]
    assert MATRIX["python"] == classified
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
