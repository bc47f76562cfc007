"""The contract of StorageService, and what LocalStorage adds to it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import FileMissing, StorageError
from app.services.storage.base import StorageService
from app.services.storage.local_storage import LocalStorage
from tests.services.storage.hostile_names import HOSTILE_NAMES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "video_jobs"


@pytest.fixture(params=[LocalStorage])
def storage(request: pytest.FixtureRequest, root: Path) -> StorageService:
    implementation: Callable[[Path], StorageService] = request.param
    return implementation(root)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    path.write_bytes(b"video")
    return path


def test_saved_file_can_be_loaded(storage: StorageService, source: Path) -> None:
    storage.save_file(source, "a.mp4")
    assert storage.load_file("a.mp4").read_bytes() == b"video"


def test_source_stays_the_callers(storage: StorageService, source: Path) -> None:
    storage.save_file(source, "a.mp4")
    assert source.read_bytes() == b"video"
    source.unlink()
    assert storage.load_file("a.mp4").read_bytes() == b"video"


def test_saving_again_replaces_the_file(
    storage: StorageService, source: Path, tmp_path: Path
) -> None:
    storage.save_file(source, "a.mp4")
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another")
    storage.save_file(other, "a.mp4")
    assert storage.load_file("a.mp4").read_bytes() == b"another"
    assert source.read_bytes() == b"video"


def test_loading_what_is_not_there_is_an_error(storage: StorageService) -> None:
    with pytest.raises(FileMissing):
        storage.load_file("missing.mp4")


def test_deleting_is_idempotent(storage: StorageService, source: Path) -> None:
    storage.save_file(source, "a.mp4")
    storage.delete_file("a.mp4")
    storage.delete_file("a.mp4")
    with pytest.raises(FileMissing):
        storage.load_file("a.mp4")


def test_missing_source_leaves_nothing(storage: StorageService, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.save_file(tmp_path / "missing.mp4", "a.mp4")
    with pytest.raises(FileMissing):
        storage.load_file("a.mp4")


@pytest.mark.parametrize("key", HOSTILE_NAMES)
def test_hostile_keys_are_refused(storage: StorageService, source: Path, key: str) -> None:
    with pytest.raises(StorageError):
        storage.save_file(source, key)
    with pytest.raises(StorageError):
        storage.load_file(key)
    with pytest.raises(StorageError):
        storage.delete_file(key)


def test_files_lie_under_their_keys(root: Path, source: Path) -> None:
    LocalStorage(root).save_file(source, "a.mp4")
    assert (root / "a.mp4").read_bytes() == b"video"


def test_same_filesystem_needs_no_copy(root: Path, source: Path) -> None:
    LocalStorage(root).save_file(source, "a.mp4")
    assert (root / "a.mp4").samefile(source)


def test_without_hard_links_the_file_is_copied(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    storage = LocalStorage(root)
    storage.save_file(source, "a.mp4")
    assert storage.load_file("a.mp4").read_bytes() == b"video"
    assert not storage.load_file("a.mp4").samefile(source)
    assert list(storage.staging.folder.iterdir()) == []


def test_failed_copy_leaves_no_residue(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os, "fsync", fail)
    storage = LocalStorage(root)
    with pytest.raises(OSError, match="No space"):
        storage.save_file(source, "a.mp4")
    assert list(storage.staging.folder.iterdir()) == []
    assert not (root / "a.mp4").exists()


def test_name_that_cannot_be_made_durable_is_taken_back(
    root: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    storage = LocalStorage(root)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        storage.save_file(source, "a.mp4")
    assert not (root / "a.mp4").exists()
    assert source.exists()


def test_link_waiting_under_the_name_is_replaced_and_never_followed(
    root: Path, source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"untouched")
    storage = LocalStorage(root)
    (root / "a.mp4").symlink_to(outside)
    with pytest.raises(FileMissing):
        storage.load_file("a.mp4")
    storage.save_file(source, "a.mp4")
    assert storage.load_file("a.mp4").read_bytes() == b"video"
    assert outside.read_bytes() == b"untouched"


def test_root_may_be_reached_through_a_link(tmp_path: Path, source: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalStorage(tmp_path / "link" / "video_jobs").save_file(source, "a.mp4")
    assert (tmp_path / "real" / "video_jobs" / "a.mp4").read_bytes() == b"video"
