"""What the README says of backups, of freeing disk and of upgrading is what happens."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.docs.clone import Clone
from tests.docs.markdown import REPOSITORY, commands, rows, section
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.support.client import results, status, submit, wait_for
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

TEXT = section((REPOSITORY / "README.md").read_text(), "Looking after it")
BACK_UP, MOVE_AWAY, PUT_BACK, DELETE_VIDEOS = [command.text for command in commands(TEXT)]
HELD = {"PIPELINE_SLEEP_SECONDS": "60", "FORGESYTE_SHUTDOWN_GRACE_SECONDS": "0"}


def server_on(data_dir: Path, **env: str) -> ServerProcess:
    return ServerProcess(data_dir, plugins=[READY], env=env)


def run(command: str, folder: Path) -> None:
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, timeout=60)


def one_completed_and_two_held(server: ServerProcess) -> list[str]:
    """The ids of a job that is completed, one that runs as long as it is held, and one behind."""
    completed = submit(server.base_url, TINY_MP4, "barcodes")
    wait_for(server.base_url, completed, 60)
    return [completed, *(submit(server.base_url, TINY_MP4, "sleep") for _ in range(2))]


def assert_all_complete(data_dir: Path, jobs: list[str]) -> None:
    with server_on(data_dir) as server:
        for job_id in jobs:
            assert wait_for(server.base_url, job_id, 60)["status"] == "completed"
            assert results(server.base_url, job_id)["job_id"] == job_id


def test_a_copy_of_the_folder_restores_every_job(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with server_on(data_dir, **HELD) as server:
        jobs = one_completed_and_two_held(server)
        server.stop()
    run(BACK_UP, tmp_path)
    with server_on(data_dir) as server:
        later = submit(server.base_url, TINY_MP4, "barcodes")
        server.stop()
    run(MOVE_AWAY, tmp_path)
    run(PUT_BACK, tmp_path)
    assert_all_complete(data_dir, jobs)
    assert not list(data_dir.rglob(f"{later}*"))


def test_a_snapshot_of_a_running_server_recovers(tmp_path: Path) -> None:
    """A copy made while the process is held is one: nothing is written meanwhile."""
    with server_on(tmp_path / "data", **HELD) as server:
        jobs = one_completed_and_two_held(server)
        server.signal(signal.SIGSTOP)
        shutil.copytree(tmp_path / "data", tmp_path / "snapshot")
    assert_all_complete(tmp_path / "snapshot", jobs)


def test_a_copy_from_two_moments_lacks_jobs(tmp_path: Path) -> None:
    with server_on(tmp_path / "data") as server:
        job_id = submit(server.base_url, TINY_MP4, "barcodes")
        wait_for(server.base_url, job_id, 60)
        (tmp_path / "copy").mkdir()
        shutil.copy(tmp_path / "data/foregsyte.duckdb", tmp_path / "copy")
        server.stop()  # which empties the write-ahead log into the database
    shutil.copytree(tmp_path / "data/video_jobs", tmp_path / "copy/video_jobs")
    assert not (tmp_path / "data/foregsyte.duckdb.wal").exists()
    with server_on(tmp_path / "copy") as server:
        answer = httpx2.get(f"{server.base_url}/video/status/{job_id}", trust_env=False)
    assert answer.status_code == 404


@pytest.fixture
def held(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_on(tmp_path / "data", **HELD) as server:
        yield server


def results_answer(server: ServerProcess, job_id: str) -> tuple[int, str]:
    answer = httpx2.get(f"{server.base_url}/video/results/{job_id}", trust_env=False)
    return answer.status_code, answer.text


def test_what_is_deleted_by_hand_is_told_of(held: ServerProcess, tmp_path: Path) -> None:
    table = {row[0]: row[1:] for row in rows(TEXT)[1:]}
    ended_video, ended_results, pending_video = table.values()
    url = held.base_url
    completed, _, pending = one_completed_and_two_held(held)
    before = status(url, completed), results(url, completed)

    run(DELETE_VIDEOS, tmp_path)
    videos = {path.stem for path in (tmp_path / "data/video_jobs").glob("*.mp4")}
    assert completed not in videos
    assert pending in videos
    assert ended_video == ["as before", "as before"]
    assert (status(url, completed), results(url, completed)) == before

    (tmp_path / f"data/video_jobs/{completed}_results.json").unlink()
    assert ended_results == ["as before, `completed", "404, which says that they are gone"]
    assert status(url, completed) == before[0]
    code, said = results_answer(held, completed)
    assert code == 404
    assert "are gone" in said

    (tmp_path / f"data/video_jobs/{pending}.mp4").unlink()
    held.stop()
    held.env["PIPELINE_SLEEP_SECONDS"] = "0"
    held.restart()
    assert pending_video == ["failed` at its turn", "404, which says that the video is not there"]
    assert wait_for(url, pending, 60)["status"] == "failed"
    code, said = results_answer(held, pending)
    assert code == 404
    assert f"{pending}.mp4 is not in the storage" in said
    assert submit(url, TINY_MP4, "barcodes")


def test_a_newer_version_is_installed_before_it_is_served(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    assert "requirements.txt" not in clone.run("make --dry-run serve")
    os.utime(clone.root / "requirements.txt")
    assert "--requirement requirements.txt" in clone.run("make --dry-run serve")
