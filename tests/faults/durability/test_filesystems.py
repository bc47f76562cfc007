"""Filesystems that cannot do everything: made up for and said once, or one line at the start."""

import errno
import os
from pathlib import Path

import pytest

from tests.faults.durability.rows import check_files, read_results, wait_until_idle
from tests.faults.durability.test_start import refusal
from tests.support.client import submit
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.shim import shim

pytestmark = pytest.mark.needs("cc")

MADE_UP_FOR = [
    *[({"fsync_folder": code}, "cannot flush folders") for code in ("EINVAL", "ENOTSUP", "EBADF")],
    *[({"link": code}, "no hard links") for code in ("EPERM", "ENOTSUP", "ENOSYS")],
    *[({"flock": code}, "cannot be locked") for code in ("ENOLCK", "ENOTSUP", "EBADF")],
]


def numbers(errors: dict[str, str]) -> dict[str, int]:
    return {call: getattr(errno, code) for call, code in errors.items()}


@pytest.mark.parametrize(("errors", "said"), MADE_UP_FOR, ids=str)
def test_what_can_be_made_up_for_is_said_once(
    errors: dict[str, str], said: str, tmp_path: Path, data_dir: Path, clip: bytes
) -> None:
    env = shim(tmp_path, clock=None, **numbers(errors))
    with ServerProcess(data_dir, plugins=[READY], env=env) as server:
        job_ids = [submit(server.base_url, clip, "nothing") for _ in range(3)]
        rows = wait_until_idle(data_dir)
        for job_id in job_ids:
            assert len(read_results(data_dir, rows[job_id])) == 1
        check_files(data_dir, rows)
        assert server.log().count(said) == 1
        assert "is in use by process" in refusal(ServerProcess(data_dir, env=env))
        assert server.stop() < 0


@pytest.mark.parametrize(
    ("errors", "url"),
    [
        ({"rename": "EPERM"}, None),
        ({"fsync_folder": "EIO"}, None),
        ({"flock": "EACCES"}, None),
        ({"flock": "ENOLCK"}, "elsewhere.duckdb"),
    ],
    ids=str,
)
def test_what_cannot_is_refused(
    errors: dict[str, str], url: str | None, tmp_path: Path, data_dir: Path
) -> None:
    env = shim(tmp_path, clock=None, **numbers(errors))
    if url:
        env["FORGESYTE_DATABASE_URL"] = f"duckdb:///{tmp_path / url}"
    (number,) = numbers(errors).values()
    line = refusal(ServerProcess(data_dir, env=env))
    assert str(data_dir) in line
    assert os.strerror(number) in line
