"""The policy file is read without mercy."""

from pathlib import Path

import pytest

from tests.governance.planting import REPOSITORY
from tools.governance.findings import CannotJudge
from tools.governance.policy import load_policy
from tools.governance.tree import VOCABULARY_FILE
from tools.governance.verdict import judge

ORIGINAL = (REPOSITORY / VOCABULARY_FILE).read_text()
A_RULE = "  - id: queue-payload\n"


@pytest.mark.parametrize(
    ("passage", "replacement", "complaint"),
    [
        ("terms:\n", "ignored: [server]\nterms:\n", "unknown key: ignored"),
        ("terms:\n", "terms:\nrules:\n", "written twice"),
        ("beyond_a_machine:\n", "beyond:\n", "beyond_a_machine must be a mapping"),
        ('    spellings: ["*web socket*"]\n', "    spellings: []\n", "spellings must be a list"),
        ('    spellings: ["*web socket*"]\n', "    spellings: [1]\n", "spellings must hold texts"),
        ('    spellings: ["*web socket*"]\n', "    patterns: [web]\n", "spellings must be a list"),
        (A_RULE, f"{A_RULE}    except: [tests]\n", "unknown key: except"),
        (A_RULE, f"{A_RULE}    id: queue-payload\n", "written twice"),
        (A_RULE, "  - id: endpoints\n", "'endpoints' is malformed or used twice"),
        (A_RULE, "  - id: Queue payload\n", "'Queue payload' is malformed"),
        ("      - path: Dockerfile\n", "      - file: Dockerfile\n", "path must be a text"),
        ("    governs: [G22]\n", "    governs: [G26]\n", "no global rule G26"),
        ("    governs: [G22]\n", "    governs: [G23]\n", "says nothing of G22"),
        ("    files: [prometheus", "    paths: [prometheus", "unknown key: paths"),
        ("    schemes: [sqlite, sqlite3]\n", "    schemes: sqlite\n", "schemes must be a list"),
        ("terms:\n", "terms: [\n", "cannot be read"),
    ],
)
def test_a_policy_with_a_flaw_is_refused(
    tmp_path: Path, passage: str, replacement: str, complaint: str
) -> None:
    assert passage in ORIGINAL
    flawed = tmp_path / "policy.yaml"
    flawed.write_text(ORIGINAL.replace(passage, replacement, 1))
    with pytest.raises(CannotJudge, match=complaint):
        load_policy(flawed)


def test_a_missing_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotJudge, match="cannot be read"):
        load_policy(tmp_path / "policy.yaml")


def test_a_ban_of_nothing_is_refused(tmp_path: Path) -> None:
    names = "    names: [queue.PriorityQueue, "
    lines = [line for line in ORIGINAL.splitlines(True) if not line.startswith(names)]
    flawed = tmp_path / "policy.yaml"
    flawed.write_text("".join(lines))
    with pytest.raises(CannotJudge, match="needs names, schemes or files"):
        load_policy(flawed)


def test_a_rule_that_nothing_checks_is_refused(tmp_path: Path) -> None:
    flawed = tmp_path / "policy.yaml"
    flawed.write_text(ORIGINAL.replace(A_RULE, "  - id: queue-content\n", 1))
    with pytest.raises(CannotJudge, match=r"\['queue-content', 'queue-payload'\]"):
        judge(REPOSITORY, load_policy(flawed))
