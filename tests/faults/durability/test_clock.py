"""A clock that is wrong: each row takes it as it is, and the order of the jobs is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.durability.gate import Gate
from tests.faults.durability.rows import read_rows, wait_until_idle
from tests.faults.durability.test_recovery import started
from tests.support.client import submit, wait_until
from tests.support.server import ServerProcess
from tests.support.shim import shim

DAY = 24 * 3600


@pytest.mark.needs("cc")
def test_no_row_moves_the_time_of_another(
    tmp_path: Path, data_dir: Path, gate: Gate, clip: bytes
) -> None:
    clock = tmp_path / "clock"
    env = shim(tmp_path, clock=clock)
    wrong_by = [0, 3, 0, -1, 2, 0]
    with ServerProcess(data_dir, plugins=[gate.plugin], env=env) as server:
        job_ids = []
        for number, days in enumerate(wrong_by):
            clock.write_text(str(days * DAY))
            job_ids.append(submit(server.base_url, clip, "gate"))
            if number == 3:
                wait_until(gate.has_arrived, 60, "The first job")
                server.stop(60)
                server.restart()
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = read_rows(data_dir)
        for job_id, days in zip(job_ids, wrong_by, strict=True):
            assert abs(rows[job_id].created_at - now - timedelta(days)) < timedelta(minutes=10)
        clock.write_text("0")
        server.restart()
        gate.open()
        rows = wait_until_idle(data_dir)
        assert list(dict.fromkeys(started(server))) == job_ids
        assert all(row.updated_at >= row.created_at for row in rows.values())
        assert {row.status for row in rows.values()} == {"completed"}
