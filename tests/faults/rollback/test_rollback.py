"""What the rollback plan leaves passes every check it has left, without the packages that went."""

from pathlib import Path

import pytest

from tests.docs import rollback
from tests.docs.clone import Clone

MINUTE = 60


@pytest.mark.timeout(11 * MINUTE)
def test_all_that_is_left_passes(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    before = clone.files()
    rollback.extract_as_told(clone, tmp_path / "rollback.sh")
    clone.run(f"bash {tmp_path}/rollback.sh")
    rollback.block_imports(tmp_path, rollback.packages_that_went(before, clone.files()))

    env = {
        "CI": "true",
        "PYTHONPATH": f"{tmp_path}:{clone.root}/server",
        "PYTEST_ADDOPTS": "-p no:asyncio",  # still installed here, no longer configured
    }
    printed = clone.run("touch .venv/.ready && make test", env, seconds=10 * MINUTE)

    assert " passed" in printed
