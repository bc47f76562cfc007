"""The contract of StagingArea."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import StorageError
from app.services.storage.base import StagingArea
from app.services.storage.local_storage import LocalStaging
from tests.services.storage.hostile_names import HOSTILE_NAMES


@pytest.fixture(params=[LocalStaging])
def staging(request: pytest.FixtureRequest, tmp_path: Path) -> StagingArea:
    implementation: Callable[[Path], StagingArea] = request.param
    return implementation(tmp_path / "videos" / "staging")


def test_a_name_is_one_place_in_which_nothing_lies_yet(staging: StagingArea) -> None:
    path = staging.path("a.part")
    assert not path.exists()
    path.write_bytes(b"torn")
    assert staging.path("a.part").read_bytes() == b"torn"
    assert not staging.path("b.part").exists()


def test_a_discarded_file_is_gone_and_others_are_not(staging: StagingArea) -> None:
    for name in ("a.part", "b.part"):
        staging.path(name).touch()
    staging.discard("a.part")
    staging.discard("a.part")
    assert [staging.path(name).exists() for name in ("a.part", "b.part")] == [False, True]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_refused(staging: StagingArea, name: str) -> None:
    for method in (staging.path, staging.discard):
        with pytest.raises(StorageError):
            method(name)
