"""The commands of the migration guide, run in order in a fresh clone, do what it says of them."""

from pathlib import Path

import duckdb
import pytest

from app.models.job import Job, JobStatus
from tests.docs.clone import Clone
from tests.docs.markdown import PHASE, commands, rows, section

GUIDE = (PHASE / "Migration_Guide.md").read_text()
INTRODUCTION = GUIDE.partition("\n## ")[0]
HEADINGS = [line.removeprefix("## ") for line in GUIDE.splitlines() if line.startswith("## ")]
ROW = """
    INSERT INTO jobs VALUES (
        '66e1ee30-a53d-4190-b068-ec8821ddcf68', 'completed', '2026-11-22 10:29:48.009359',
        '2026-11-22 10:29:48.629164', 'ocr', 'video.mp4', 'results.json', NULL
    )
"""


class Guided:
    """A clone in which the commands of the guide are run, section by section."""

    def __init__(self, folder: Path) -> None:
        self.clone = Clone(folder / "clone")
        self.database = self.clone.root / "data/foregsyte.duckdb"
        self.elsewhere = folder / "elsewhere"

    def follow(self, heading: str) -> None:
        for command in commands(section(GUIDE, heading)):
            script = command.text.replace("/tmp/forgesyte", str(self.elsewhere))
            printed = self.clone.run(f"set -e\n{script}")
            assert command.output in printed

    def query(self, query: str, database: Path | None = None) -> list[tuple[object, ...]]:
        with duckdb.connect(database or self.database) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Guided:
    guided = Guided(tmp_path_factory.mktemp("migration"))
    guided.follow("A fresh database")
    return guided


def test_every_section_with_commands_is_followed_here() -> None:
    followed = {heading for heading in HEADINGS if commands(section(GUIDE, heading))}
    assert followed == {
        "A fresh database",
        "A database with rows",
        "Downgrading",
        "A change of DuckDB's version",
        "Writing a migration",
    }
    assert not commands(INTRODUCTION)


def test_the_columns_are_those_of_the_model() -> None:
    named = {row[0]: row for row in rows(INTRODUCTION)}
    columns = {column.name: column for column in Job.__table__.columns}
    assert named.keys() - {"revision", "0001", "column", "---"} == columns.keys()
    for name, column in columns.items():
        assert ("may be null" in named[name][1]) == column.nullable
    assert [value.strip(" `") for value in named["status"][2].split(",")] == [*JobStatus]


def test_a_fresh_database_has_the_table_and_so_has_one_elsewhere(guided: Guided) -> None:
    assert guided.query("SELECT count(*) FROM jobs") == [(0,)]
    assert guided.query("FROM alembic_version", guided.elsewhere / "foregsyte.duckdb")


def test_rows_are_kept_by_an_upgrade(guided: Guided) -> None:
    guided.query(f"DELETE FROM jobs; {ROW}")
    guided.follow("A database with rows")
    assert len(guided.query("FROM jobs")) == 1
    assert (guided.clone.root / "data/backup/foregsyte.duckdb").is_file()


def test_rows_come_back_after_a_downgrade(guided: Guided) -> None:
    guided.query(f"DELETE FROM jobs; {ROW}")
    before = guided.query("FROM jobs")
    guided.follow("Downgrading")
    assert guided.query("FROM jobs") == before


def test_a_file_for_an_older_duckdb_holds_the_same(guided: Guided) -> None:
    guided.query(f"DELETE FROM jobs; {ROW}")
    before = guided.query("FROM jobs")
    guided.follow("A change of DuckDB's version")
    assert guided.query("FROM jobs") == before
    assert guided.query(
        "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'foregsyte'"
    ) == [("v1.5.0+",)]
    guided.clone.run(".venv/bin/alembic downgrade base")


def test_a_new_migration_is_one_to_fill_in(guided: Guided) -> None:
    guided.follow("Writing a migration")
    (written,) = (guided.clone.root / "server/app/migrations/versions").glob("0002_*.py")
    assert "down_revision: str | None = '0001'" in written.read_text()
    guided.clone.run(".venv/bin/alembic upgrade head && .venv/bin/alembic downgrade 0001")
    written.unlink()
