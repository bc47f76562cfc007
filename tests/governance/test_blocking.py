"""Ways to let a failure through that no example of the policy shows."""

from pathlib import Path

import pytest

from tests.governance.planting import Plant
from tools.governance.blocking import LANDING, ci_blocks
from tools.governance.findings import CannotJudge
from tools.governance.hooks import hooks_do_not_skip
from tools.governance.makefile import MAKEFILE
from tools.governance.policy import Example
from tools.governance.tree import PROJECT_FILE, Tree
from tools.governance.workflow import WORKFLOW

HOOKS = ".pre-commit-config.yaml"
GOVERNANCE_HOOK = (
    "repos:\n  - repo: local\n    hooks:\n      - {id: governance, entry: make governance}\n"
)


def found(root: Path) -> set[str]:
    return {finding.what for finding in ci_blocks(Tree(root))}


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        (WORKFLOW, "there is no workflow"),
        (MAKEFILE, "there is no Makefile"),
        (LANDING, "there is no script to land a change with"),
    ],
)
def test_a_missing_file_is_a_violation(copy: Path, path: str, complaint: str) -> None:
    text = (copy / path).read_text()
    (copy / path).unlink()
    try:
        assert found(copy) == {complaint}
    finally:
        (copy / path).write_text(text)


@pytest.mark.parametrize(
    ("replaces", "text", "complaint"),
    [
        ("branches: [main]", "branches: [release]", "a filter on push without main"),
        ("branches: [main]", "branches: [main, '!main']", "a filter on push"),
        ("branches: [main]", "branches: [main]\n    paths: [server]", "a filter on push"),
        (
            "  pull_request:\n",
            "  pull_request:\n    types: [labeled]\n",
            "a filter on pull_request",
        ),
        ("on:\n  pull_request:\n", "on:\n", "not run on every pull_request"),
        ("run: make test", "run: make test; true", "; true"),
        ("run: make test", "run: set +e && make test", "set +e"),
        ("run: make test", "run: make -i test", "make test is not run by a plain step"),
        ("run: make test", "run: make test || echo", "make test is not run by a plain step"),
        ("run: make test", "run: make test | cat", "make test is not run by a plain step"),
        (
            "run: make test",
            "run: |\n          exit 0\n          make test",
            "make test is not run by a plain step",
        ),
        (
            "run: make test",
            "run: |\n          if false; then\n          make test\n          fi",
            "make test is not run by a plain step",
        ),
        (
            "run: make test",
            "run: make test\n        if: failure()",
            "make test is not run by a plain step",
        ),
        ("run: make test", "run: make test\n        shell: bash {0}", "jobs.test.steps.3.shell"),
        ("permissions:", "defaults: {run: {shell: sh}}\npermissions:", "defaults.run.shell"),
        ("permissions:", "env:\n  MAKEFLAGS: -i\npermissions:", "env.MAKEFLAGS"),
        ("  test:\n", "  test:\n    if: false\n", "jobs.test.if"),
        ("  test:\n", "  test:\n    needs: never\n", "jobs.test.needs"),
        ("  test:\n", "  test:\n    env: {PYTEST_ADDOPTS: --co}\n", "PYTEST_ADDOPTS"),
        ("  test:\n", "  test:\n    container: debian\n", "jobs.test.container"),
        (
            "      matrix:\n",
            '      matrix:\n        exclude: [{python: "3.12"}]\n',
            "jobs.test.strategy.matrix.exclude.0.python",
        ),
        ('echo "PIP_CONSTRAINT=', 'echo "PYTEST_ADDOPTS=', "PYTEST_ADDOPTS"),
    ],
)
def test_a_soft_workflow_is_a_violation(
    plant: Plant, replaces: str, text: str, complaint: str
) -> None:
    with plant(Example(WORKFLOW, text, replaces)) as root:
        assert complaint in found(root)


@pytest.mark.parametrize(
    ("replaces", "text"),
    [
        ("branches: [main]", "branches: main"),
        ("branches: [main]", "branches: [main, release]"),
        ("  push:\n    branches: [main]\n", "  push:\n"),
        ("on:\n  pull_request:\n  push:\n    branches: [main]\n", "on: [pull_request, push]\n"),
        ("run: make test", "run: |\n          make governance\n          make test"),
        ("run: make smoke", "run: make smoke\n      - if: failure()\n        run: cat log"),
    ],
)
def test_a_workflow_may_do_more(plant: Plant, replaces: str, text: str) -> None:
    with plant(Example(WORKFLOW, text, replaces)) as root:
        assert found(root) == set()


@pytest.mark.parametrize(
    ("replaces", "text", "complaint"),
    [
        ("governance:", ".IGNORE:\n\ngovernance:", ".IGNORE could change what every command does"),
        ("BIN :=", "MAKEFLAGS += -i\nBIN :=", "MAKEFLAGS"),
        ("BIN :=", "SHELL := /bin/true\nBIN :=", "SHELL := /bin/true could"),
        ("BIN :=", ".SHELLFLAGS := -c true;\nBIN :=", ".SHELLFLAGS := -c true; could"),
        ("BIN :=", "include other.mk\nBIN :=", "include other.mk could"),
        ("BIN := $(VENV)/bin", "BIN := true", "BIN := true could"),
        ("unit:", "unit: SHELL := /bin/true\nunit:", "unit: SHELL := /bin/true could"),
        ("unit:", "unit: ; true\nunit:", "unit: ; true could"),
        ("clean: ##", "governance:\n\ttrue\n\nclean: ##", "the recipe of governance"),
        ("smoke_test.py", "smoke_test.py || true", "the recipe of smoke"),
        ("\t$(BIN)/python server/tools/smoke_test.py", "\ttrue", "the recipe of smoke"),
        ("validate_phase16_path.py", "smoke_test.py", "the recipe of governance"),
        ("validate_phase16_path.py", "validate_phase16_path.py --help", "the recipe of governance"),
        (
            "validate_phase16_path.py",
            "validate_phase16_path.py \\\n\t--root x",
            "the recipe of gov",
        ),
        ("\t$(BIN)/pytest\n", "\t-$(BIN)/pytest\n", "the recipe of unit"),
        ("\t$(BIN)/pytest\n", "\t$(BIN)/pytest --co\n", "the recipe of unit"),
        ("\t$(BIN)/pytest\n", "\t$(BIN)/pytest\n\ttrue\n", "the recipe of unit"),
        ("check server tests\n", "check server tests || true\n", "the recipe of format"),
        (" imports unit ##", " imports ##", "make test leaves out unit"),
        (" imports unit faults", " imports faults", "a file named unit would stand in"),
    ],
)
def test_a_soft_makefile_is_a_violation(
    plant: Plant, replaces: str, text: str, complaint: str
) -> None:
    with plant(Example(MAKEFILE, text, replaces)) as root:
        assert any(what.startswith(complaint) for what in found(root))


@pytest.mark.parametrize(
    ("replaces", "text"),
    [
        ("test: $(READY) governance", "test: $(READY) \\\n  governance"),
        ("test: $(READY) governance", "test: governance $(READY)"),
        ("\trm -rf", "\t-rm -rf"),
        ("clean: ##", "wheel: $(READY)\n\t$(BIN)/python -m build || true\n\nclean: ##"),
    ],
)
def test_a_makefile_may_do_more(plant: Plant, replaces: str, text: str) -> None:
    with plant(Example(MAKEFILE, text, replaces)) as root:
        assert found(root) == set()


@pytest.mark.parametrize(
    ("replaces", "text", "complaint"),
    [
        ("set -euo pipefail", "set -u", "it does not begin with set -euo pipefail"),
        ("make test", "make test || true", "make test || true may let a failure pass"),
        ("make smoke", "true", "make smoke is not run"),
        ("make test", "exit 0\nmake test", "exit 0 may let a failure pass"),
        ("make test", "trap 'exit 0' EXIT\nmake test", "trap 'exit 0' EXIT may let a failure pass"),
        ("make test", "make() { true; }\nmake test", "make() { true; } may let a failure pass"),
        (
            "make test",
            "if false; then make test",
            "if false; then make test may let a failure pass",
        ),
        ("make smoke", "make smoke\nfi", "fi may let a failure pass"),
        ("export CI=true", "export MAKEFLAGS=-i", "MAKEFLAGS"),
    ],
)
def test_a_soft_landing_is_a_violation(
    plant: Plant, replaces: str, text: str, complaint: str
) -> None:
    with plant(Example(LANDING, text, replaces)) as root:
        assert complaint in found(root)


@pytest.mark.parametrize(
    ("replaces", "text", "complaint"),
    [
        ('addopts = "', 'addopts = "-k nothing ', "pytest's addopts -k may pass over tests"),
        ('addopts = "', 'addopts = "--co ', "pytest's addopts --co may pass over tests"),
        ('"tests/faults"', '"tests"', "pytest's norecursedirs tests may pass over tests"),
        ('testpaths = ["tests"]', 'testpaths = ["tests/api"]', "pytest's testpaths are not"),
        ("timeout =", 'python_files = "x"\ntimeout =', "pytest's python_files may pass over tests"),
    ],
)
def test_tests_that_are_passed_over_are_a_violation(
    plant: Plant, replaces: str, text: str, complaint: str
) -> None:
    with plant(Example(PROJECT_FILE, text, replaces)) as root:
        assert any(what.startswith(complaint) for what in found(root))


@pytest.mark.parametrize("path", ["pytest.ini", "tox.ini", "GNUmakefile", "mypy.ini"])
def test_a_file_that_stands_in_for_ours_is_a_violation(plant: Plant, path: str) -> None:
    with plant(Example(path, "", None)) as root:
        assert found(root) == {"it stands in for settings of ours"}


@pytest.mark.parametrize("text", ["on: [", "- on"])
def test_a_workflow_that_cannot_be_read_is_refused(copy: Path, plant: Plant, text: str) -> None:
    whole = (copy / WORKFLOW).read_text()
    with plant(Example(WORKFLOW, text, whole)) as root, pytest.raises(CannotJudge, match=WORKFLOW):
        found(root)


@pytest.mark.parametrize("hook", ["entry: alembic check", "entry: python, args: [-m, alembic]"])
def test_a_hook_that_enforces_migrations_is_a_violation(plant: Plant, hook: str) -> None:
    hooks = f"{GOVERNANCE_HOOK}      - {{id: migrations, {hook}}}\n"
    with plant(Example(HOOKS, hooks, None)) as root:
        (finding,) = hooks_do_not_skip(Tree(root))
    assert (finding.line, finding.what) == (5, "a hook that enforces migrations")


@pytest.mark.parametrize(
    "entry", ["bash -c 'make governance || true'", "echo make governance", "make -i governance"]
)
def test_a_hook_that_only_names_the_validator_is_none(plant: Plant, entry: str) -> None:
    hooks = GOVERNANCE_HOOK.replace("make governance", f'"{entry}"')
    with plant(Example(HOOKS, hooks, None)) as root:
        (finding,) = hooks_do_not_skip(Tree(root))
    assert finding.what == "no hook runs the validator and nothing else"


@pytest.mark.parametrize("path", [".husky/pre-commit", ".githooks/pre-commit", "lefthook.yml"])
def test_hooks_that_cannot_be_looked_into_are_a_violation(plant: Plant, path: str) -> None:
    with plant(Example(path, "make governance\n", None)) as root:
        assert [finding.path for finding in hooks_do_not_skip(Tree(root))] == [path]


@pytest.mark.parametrize(
    "command",
    [
        "git commit -n -m x",
        "git commit -anm x",
        "git commit --no-verify",
        "git config core.hooksPath /dev/null",
    ],
)
def test_a_script_that_skips_hooks_is_a_violation(plant: Plant, command: str) -> None:
    with plant(Example(".ci/commit.sh", f"git commit -m x\n{command}\n", None)) as root:
        assert [finding.line for finding in hooks_do_not_skip(Tree(root))] == [2]


def test_a_hook_may_say_how_it_runs(plant: Plant) -> None:
    hooks = GOVERNANCE_HOOK.replace("}", ", verbose: true, require_serial: true, always_run: true}")
    with plant(Example(HOOKS, hooks, None)) as root:
        assert list(hooks_do_not_skip(Tree(root))) == []
