"""What is left on disk of a server that runs, has stopped or was killed."""

import json
import shutil
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import duckdb

from tests.support.client import wait_until

DATABASE = "foregsyte.duckdb"
WAL = f"{DATABASE}.wal"
VIDEOS = "video_jobs"
UNFINISHED = {"pending", "running"}


class Row(NamedTuple):
    """A job as the table has it."""

    job_id: str
    status: str
    created_at: datetime
    updated_at: datetime
    pipeline_id: str
    input_path: str
    output_path: str | None
    error_message: str | None


def read_rows(data_dir: Path) -> dict[str, Row]:
    """All jobs in the order of their commits, read from a copy: DuckDB lets nobody else open the
    file of a running server, and opening that of a killed one would already mend it."""
    with tempfile.TemporaryDirectory() as folder:
        while not _copied_whole(data_dir, Path(folder)):
            pass
        with duckdb.connect(f"{folder}/{DATABASE}") as database:
            found = database.execute(
                f"SELECT job_id::VARCHAR, {', '.join(Row._fields[1:])} FROM jobs ORDER BY rowid"
            ).fetchall()
    return {row.job_id: row for row in map(Row._make, found)}


def wait_until_idle(data_dir: Path, timeout: float = 60) -> dict[str, Row]:
    """All jobs, once each is completed or failed."""
    rows: dict[str, Row] = {}

    def idle() -> bool:
        rows.clear()
        rows.update(read_rows(data_dir))
        return not any(row.status in UNFINISHED for row in rows.values())

    wait_until(idle, timeout, "The end of every job")
    return rows


def files(data_dir: Path) -> set[str]:
    """Every file but the database, by its path in the data folder."""
    found = {str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file()}
    return found - {DATABASE, WAL}


def files_of(rows: dict[str, Row]) -> set[str]:
    """The files that there must be when those are all jobs and none runs."""
    videos = {f"{VIDEOS}/{row.input_path}" for row in rows.values()}
    return videos | {f"{VIDEOS}/{row.output_path}" for row in rows.values() if row.output_path}


def check_files(data_dir: Path, rows: dict[str, Row], *, lost: str | None = None) -> None:
    """Fail unless there is a file for everything that the rows name, and no other; `lost` is gone.

    The temporary name of a refused upload may outlive its answer for a moment.
    """
    expected = files_of(rows) - {f"{VIDEOS}/{lost}"}
    with suppress(TimeoutError):
        wait_until(lambda: files(data_dir) == expected, 5, "The removal of temporary files")
    assert files(data_dir) == expected


def read_results(data_dir: Path, row: Row) -> list[dict[str, object]]:
    """The results of a completed job; an error if its file is not whole."""
    assert row.status == "completed", row
    assert row.output_path == f"{row.job_id}_results.json"
    document = json.loads((data_dir / VIDEOS / row.output_path).read_bytes())
    assert document.keys() == {"job_id", "results"}
    assert document["job_id"] == row.job_id
    results: list[dict[str, object]] = document["results"]
    return results


def _copied_whole(data_dir: Path, folder: Path) -> bool:
    """Copy the database and its log; False if the server wrote to them meanwhile."""
    originals = [data_dir / DATABASE, data_dir / WAL]
    before = [_version(path) for path in originals]
    for path in originals:
        (folder / path.name).unlink(missing_ok=True)
        if path.exists():
            shutil.copyfile(path, folder / path.name)
    return before == [_version(path) for path in originals]


def _version(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime_ns
