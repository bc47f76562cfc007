"""The workflow lets no failure through."""

import pytest

from tests.governance.conftest import REPOSITORY, changed
from tools.validate_phase16_path import WORKFLOW, softened

TEXT = (REPOSITORY / WORKFLOW).read_text()

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
