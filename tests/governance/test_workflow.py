"""The workflow lets no failure through, is well-formed, and covers what is supported."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.governance.conftest import REPOSITORY, changed
from tools.validate_phase16_path import WORKFLOW, softened

TEXT = (REPOSITORY / WORKFLOW).read_text()
MATRIX = yaml.safe_load(TEXT)["jobs"]["test"]["strategy"]["matrix"]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

ON = "on:\n  pull_request:\n"
TEST, SMOKE, GOVERNANCE = "run: make test", "run: make smoke", "run: make governance"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, ""),
        (ON, "on:\n"),
        (ON, "on:\n  workflow_dispatch:\n"),
        (ON, f"{ON}    paths: [server/**]\n"),
        (ON, f"{ON}    branches: [main]\n"),
        (ON, f"{ON}    types: [labeled]\n"),
        (GOVERNANCE, f"{GOVERNANCE} || true"),
        (GOVERNANCE, "run: make help"),
        (SMOKE, f"{SMOKE}\n        continue-on-error: true"),
        (SMOKE, "run: make demo"),
        (SMOKE, f"{SMOKE}\n        if: failure()"),
        (TEST, f"{TEST}; true"),
        (TEST, f"{TEST} || echo failed"),
        (TEST, f"{TEST} | cat"),
        (TEST, "run: set +e && make test"),
        (TEST, "run: make -i test"),
        (TEST, f"{TEST}\n        shell: bash {{0}}"),
        ("  governance:\n", "  governance:\n    if: github.actor != 'me'\n"),
        ("  test:\n", "  test:\n    continue-on-error: true\n"),
    ],
)
def test_what_lets_a_failure_through_is_a_violation(old: str, new: str) -> None:
    assert [*softened(changed(WORKFLOW, old, new)[WORKFLOW])] != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: Phase-16 validation", "name: Checks"),
        (ON, f"{ON}    types: [opened, synchronize, reopened, labeled]\n"),
        ("on:\n  pull_request:\n  push:\n    branches: [main]\n", "on: [pull_request, push]\n"),
        ("  test:\n", "  test:\n    needs: governance\n    env: {TZ: UTC}\n"),
        ("permissions:", "env:\n  FORCE_COLOR: 1\nconcurrency: one\npermissions:"),
        (TEST, "run: |\n          make governance\n          make -j2 test TZ=UTC"),
        (SMOKE, f"{SMOKE}\n      - if: failure()\n        run: cat server.log"),
    ],
)
def test_a_workflow_may_do_more(old: str, new: str) -> None:
    assert [*softened(changed(WORKFLOW, old, new)[WORKFLOW])] == []


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
    flawed = tmp_path / ".github/workflows/flawed.yml"
    flawed.parent.mkdir(parents=True)
    flawed.write_text(changed(WORKFLOW, old, new)[WORKFLOW])
    sound, unsound = (
        subprocess.run([*check, path], capture_output=True, text=True, check=False)
        for path in (REPOSITORY / WORKFLOW, flawed)
    )
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert unsound.returncode != 0


def test_its_actions_say_which_version_they_are_pinned_at() -> None:
    uses = re.findall(r"uses: (.+)", TEXT)
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", s) for s in uses)


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
