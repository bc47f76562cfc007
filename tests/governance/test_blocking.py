"""Ways to let a failure through that no example of the policy shows."""

from pathlib import Path

import pytest

from tests.governance.planting import REPOSITORY, Plant
from tools.governance.blocking import MAKEFILE, WORKFLOW, ci_blocks, hooks_do_not_skip
from tools.governance.findings import CannotJudge
from tools.governance.policy import Example
from tools.governance.tree import Tree


def found(root: Path) -> set[str]:
    return {finding.what for finding in ci_blocks(Tree(root))}


@pytest.mark.parametrize(
    ("path", "complaint"), [(WORKFLOW, "there is no workflow"), (MAKEFILE, "there is no Makefile")]
)
def test_a_missing_file_is_a_violation(copy: Path, path: str, complaint: str) -> None:
    text = (copy / path).read_text()
    (copy / path).unlink()
    try:
        assert found(copy) == {complaint}
    finally:
        (copy / path).write_text(text)


@pytest.mark.parametrize(
    ("path", "replaces", "text", "complaint"),
    [
        (WORKFLOW, "branches: [main]", "branches: [release]", "a filter on push"),
        (WORKFLOW, "run: make test", "run: make test; true", "; true"),
        (WORKFLOW, "run: make test", "run: set +e && make test", "set +e"),
        (WORKFLOW, "on:\n  pull_request:\n", "on:\n", "not run on every pull_request"),
        (WORKFLOW, "run: make test", "run: make -i test", "make test is not run"),
        (MAKEFILE, "governance:", ".IGNORE:\n\ngovernance:", ".IGNORE"),
        (MAKEFILE, "smoke_test.py", "smoke_test.py || true", "a failure of smoke is ignored"),
        (
            MAKEFILE,
            "validate_phase16_path.py",
            "smoke_test.py",
            "make governance does not run the validator",
        ),
    ],
)
def test_a_soft_failure_is_a_violation(
    plant: Plant, path: str, replaces: str, text: str, complaint: str
) -> None:
    assert replaces in (REPOSITORY / path).read_text()
    with plant(Example(path, text, replaces)) as root:
        assert complaint in found(root)


@pytest.mark.parametrize("text", ["on: [", "- on"])
def test_a_workflow_that_cannot_be_read_is_refused(copy: Path, plant: Plant, text: str) -> None:
    whole = (copy / WORKFLOW).read_text()
    with plant(Example(WORKFLOW, text, whole)) as root, pytest.raises(CannotJudge, match=WORKFLOW):
        found(root)


def test_a_hook_that_enforces_migrations_is_a_violation(plant: Plant) -> None:
    hooks = (
        "repos:\n  - repo: local\n    hooks:\n"
        "      - {id: governance, entry: make governance}\n"
        "      - {id: migrations, entry: alembic check}\n"
    )
    with plant(Example(".pre-commit-config.yaml", hooks, None)) as root:
        (finding,) = hooks_do_not_skip(Tree(root))
    assert (finding.line, finding.what) == (5, "a hook that enforces migrations")
