"""What a server has on disk."""

from pathlib import Path

import duckdb

from tests.support.client import wait_until

DATABASE = "foregsyte.duckdb"


def files(data_dir: Path) -> set[str]:
    """Every file but the database, by its path in the data folder."""
    found = {str(path.relative_to(data_dir)) for path in data_dir.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith(DATABASE)}


def lasting_files(data_dir: Path) -> set[str]:
    """The same once no upload has a temporary name, as a refused one may for a moment."""

    def nothing_is_coming_in() -> bool:
        return not any(".incoming" in path for path in files(data_dir))

    wait_until(nothing_is_coming_in, 10, "The end of temporary names")
    return files(data_dir)


def videos(job_ids: set[str]) -> set[str]:
    """The files that there are to be for jobs without results."""
    return {f"video_jobs/{job_id}.mp4" for job_id in job_ids}


def jobs(data_dir: Path) -> set[str]:
    """The ids of all rows; DuckDB tells them only when the server has ended."""
    with duckdb.connect(str(data_dir / DATABASE), read_only=True) as database:
        return {job for (job,) in database.execute("SELECT job_id::VARCHAR FROM jobs").fetchall()}
