"""The clock's time zone, the working directory, and what errors tell about the machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.durability.rows import check_files, read_rows, wait_until_idle
from tests.support.client import connect, results, status, submit, wait_for
from tests.support.pipelines import READY, write_pipeline_package
from tests.support.server import ServerProcess

SLACK = 4

TALKATIVE = """
def factory():
    def run(payload):
        raise OSError("cannot read " + {path!r}.replace(" ", "_") + ": " + "x" * 10_000_000)
    return run
"""

IN_A_CHAIN = """
def factory():
    def run(payload):
        try:
            open({path!r})
        except OSError as error:
            raise RuntimeError("no weights") from error
    return run
"""

IN_THE_FACTORY = """
def factory():
    open({path!r})
"""


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_times_are_utc_in_every_time_zone(zone: str, data_dir: Path, clip: bytes) -> None:
    env = {"TZ": zone, "PIPELINE_SLEEP_SECONDS": "0.2"}
    with ServerProcess(data_dir, plugins=[READY], env=env) as server:
        earlier = datetime.now(UTC)
        job_id = submit(server.base_url, clip, "sleep")
        later = datetime.now(UTC)
        seen = [status(server.base_url, job_id)]
        while seen[-1]["status"] in ("pending", "running"):
            seen.append(status(server.base_url, job_id))
        server.restart()
        seen.append(status(server.base_url, job_id))
    assert all(
        answer[name].endswith("Z") for answer in seen for name in ("created_at", "updated_at")
    )
    (created_at,) = {datetime.fromisoformat(answer["created_at"]) for answer in seen}
    assert earlier <= created_at <= later
    updates = [datetime.fromisoformat(answer["updated_at"]) for answer in seen]
    assert updates == sorted(updates)
    assert updates[-1] - updates[0] < timedelta(seconds=SLACK * 2)
    (row,) = read_rows(data_dir).values()
    assert row.created_at.replace(tzinfo=UTC) == created_at


def test_messages_are_short_and_tell_no_folders(
    tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    path = str(tmp_path / "secret folder" / "weights.bin")
    sources = {"talkative": TALKATIVE, "in_a_chain": IN_A_CHAIN, "in_the_factory": IN_THE_FACTORY}
    package = write_pipeline_package(
        tmp_path / "package", {name: code.format(path=path) for name, code in sources.items()}
    )
    with ServerProcess(data_dir, plugins=[package, READY]) as server:
        job_ids = {name: submit(server.base_url, clip, name) for name in sources}
        job_ids["not_a_video"] = submit(server.base_url, clip[:100], "nothing")
        lost = submit(server.base_url, clip, "nothing")
        rows = wait_until_idle(data_dir)
        (data_dir / "video_jobs" / f"{lost}_results.json").unlink()
        with connect(server.base_url) as client:
            answers = {name: client.get(f"/video/results/{id}") for name, id in job_ids.items()}
            lost_answer = client.get(f"/video/results/{lost}")
    for name, job_id in job_ids.items():
        message = rows[job_id].error_message
        assert message
        assert len(message.encode()) <= 2048
        assert answers[name].status_code == 404
        assert message in answers[name].json()["detail"]
    assert lost_answer.status_code == 404
    assert "gone from the storage" in lost_answer.json()["detail"]
    for answer in [*answers.values(), lost_answer]:
        assert "Traceback" not in answer.text
        assert str(tmp_path) not in answer.text
        assert "folder" not in answer.text
    assert "weights.bin" in answers["in_the_factory"].text


def test_data_folder_is_one_place_wherever_the_server_is_started(
    tmp_path: Path, clip: bytes
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    job_ids = []
    places = [
        (Path("/"), str(link / "data")),
        (tmp_path, "link/data"),
        (real, "data"),
        (link, "../real/data"),
    ]
    for cwd, setting in places:
        env = {"FORGESYTE_DATA_DIR": setting}
        with ServerProcess(real / "data", cwd=cwd, env=env, plugins=[READY]) as server:
            job_ids.append(submit(server.base_url, clip, "nothing"))
            wait_for(server.base_url, job_ids[-1], 60)
            for job_id in job_ids:
                assert results(server.base_url, job_id)["job_id"] == job_id
            assert server.stop() < 0
    rows = read_rows(real / "data")
    assert list(rows) == job_ids
    check_files(real / "data", rows)
    assert {path.name for path in tmp_path.iterdir()} == {"real", "link"}
