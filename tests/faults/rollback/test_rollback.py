"""The rollback plan and the way back, each with an environment that is made for what is there."""

from pathlib import Path

import pytest

from tests.docs import rollback
from tests.docs.rollback import RolledBack

MINUTE = 60


@pytest.mark.timeout(20 * MINUTE)
def test_what_is_left_passes_and_what_went_comes_back(tmp_path: Path) -> None:
    done = RolledBack(tmp_path)
    env = {"CI": "true", "PYTHONPATH": ""}

    for command in rollback.told("5. End"):
        printed = done.clone.run(command, env, seconds=10 * MINUTE)
    assert " passed" in printed
    with pytest.raises(AssertionError, match="No module named 'duckdb'"):
        done.clone.run(".venv/bin/python -c 'import duckdb'", env)

    for command in rollback.told("Taking it back"):
        done.clone.run(command, env, seconds=5 * MINUTE)
    done.assert_taken_back()
