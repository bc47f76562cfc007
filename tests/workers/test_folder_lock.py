"""One holder at a time, and none after its process has ended."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from app.workers.folder_lock import FolderLock


def test_it_is_held_by_one_until_it_is_released(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    with pytest.raises(BlockingIOError):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_another_process_is_kept_out(tmp_path: Path) -> None:
    try_it = (
        f"from app.workers.folder_lock import FolderLock\nFolderLock({str(tmp_path)!r}).acquire()"
    )
    command = [sys.executable, "-c", try_it]
    lock = FolderLock(tmp_path)
    lock.acquire()
    kept_out = subprocess.run(command, capture_output=True, check=False)
    assert b"BlockingIOError" in kept_out.stderr
    lock.release()
    subprocess.run(command, check=True)


def test_a_forked_child_does_not_hold_it(tmp_path: Path) -> None:
    lock, again = FolderLock(tmp_path), FolderLock(tmp_path)
    lock.acquire()
    context = multiprocessing.get_context("fork")
    begun, over = context.Event(), context.Event()

    def live_on() -> None:
        begun.set()
        over.wait(60)

    child = context.Process(target=live_on)
    child.start()
    assert begun.wait(60)
    with pytest.raises(BlockingIOError):
        again.acquire()
    lock.release()
    again.acquire()
    again.release()
    over.set()
    child.join(60)
