"""A data folder of version 0.1.0 is taken over exactly, its notes in the words of that version."""

import tarfile
from pathlib import Path

from tests.faults.durability.rows import read_results, read_rows, wait_until_idle
from tests.support.server import ServerProcess

FOLDER = Path(__file__).parents[2] / "fixtures" / "data_folder_of_0_1_0.tar.xz"
COMPLETED, FAILED, CUT_OFF_AGAIN, RUNNING, INTERRUPTED, PENDING = (
    f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 7)
)
TWICE = (
    "The server ended twice while this job was running; the video or its pipeline may be the cause."
)


def test_jobs_of_an_earlier_version_are_taken_over(data_dir: Path) -> None:
    with tarfile.open(FOLDER) as archive:
        archive.extractall(data_dir, filter="data")
    before = read_rows(data_dir)
    with ServerProcess(data_dir) as server:
        after = wait_until_idle(data_dir, 60)
        server.stop()
    ended = {job_id: (row.status, row.error_message) for job_id, row in after.items()}
    assert ended == {
        COMPLETED: ("completed", None),
        FAILED: ("failed", "decoded 90 of 132 frames: the file is truncated"),
        CUT_OFF_AGAIN: ("failed", TWICE),
        RUNNING: ("completed", None),
        INTERRUPTED: ("completed", None),
        PENDING: ("completed", None),
    }
    for job_id in (COMPLETED, FAILED):
        assert after[job_id] == before[job_id]
    assert read_results(data_dir, after[COMPLETED]) == [
        {"frame_index": 0, "result": {"text": "kept"}}
    ]
    assert all(
        len(read_results(data_dir, after[job])) == 10 for job in (RUNNING, INTERRUPTED, PENDING)
    )
