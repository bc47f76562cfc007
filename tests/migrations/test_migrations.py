"""The schema comes from the migrations alone, and the same one whichever way they are run."""

import importlib
import logging
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from app import models
from app.core import database
from app.core.database import Base, build_engine, migrate, migration_config
from app.models.job import Job

REPOSITORY = Path(__file__).parents[2]

Schema = list[tuple[object, ...]]


def schema_of(connection: Connection) -> Schema:
    """Every column of every table but Alembic's own."""
    query = """
        SELECT table_name, column_name, column_index, data_type, is_nullable, column_default
        FROM duckdb_columns() WHERE NOT internal AND table_name != 'alembic_version'
        ORDER BY ALL
    """
    return [tuple(row) for row in connection.execute(text(query))]


def run_alembic(url: str, *arguments: str, cwd: Path = REPOSITORY) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(REPOSITORY / "alembic.ini"), *arguments],
        cwd=cwd,
        env={**os.environ, "FORGESYTE_DATABASE_URL": url},
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path}/jobs.duckdb"


@pytest.fixture
def expected(memory_engine: Engine) -> Schema:
    with memory_engine.connect() as connection:
        return schema_of(connection)


def read_schema(url: str) -> Schema:
    engine = build_engine(url)
    try:
        with engine.connect() as connection:
            return schema_of(connection)
    finally:
        engine.dispose()


def test_models_equal_migrations(expected: Schema) -> None:
    engine = build_engine("duckdb:///:memory:")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        assert schema_of(connection) == expected
    engine.dispose()


def test_alembic_knows_every_model_though_nothing_else_has_imported_it() -> None:
    seen_by_alembic = """
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from app.core.database import migration_config

def show(revision, context):
    print(*context.opts["target_metadata"].tables)
    return []

config = migration_config("duckdb:///:memory:")
scripts = ScriptDirectory.from_config(config)
with EnvironmentContext(config, scripts, fn=show):
    scripts.run_env()
"""
    done = subprocess.run(
        [sys.executable, "-c", seen_by_alembic],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for module in pkgutil.iter_modules(models.__path__, "app.models."):
        importlib.import_module(module.name)
    assert {*done.stdout.split()} == {*Base.metadata.tables} != set()


def test_primary_key_is_the_only_index_and_nothing_is_foreign(memory_engine: Engine) -> None:
    with memory_engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM duckdb_indexes()")).scalar() == 0
        keys = connection.execute(
            text(
                "SELECT constraint_type, constraint_column_names FROM duckdb_constraints() "
                "WHERE table_name = 'jobs' AND constraint_type != 'NOT NULL'"
            )
        ).all()
        assert [tuple(key) for key in keys] == [("PRIMARY KEY", ["job_id"])]


def test_upgrade_twice_keeps_rows(url: str, expected: Schema) -> None:
    engine = build_engine(url)
    with engine.connect() as connection:
        migrate(connection)
    with Session(engine) as session:
        session.add(Job(pipeline_id="ocr", input_path="video.mp4"))
        session.commit()
    with engine.connect() as connection:
        migrate(connection)
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar() == 1
        assert schema_of(connection) == expected
    engine.dispose()


def test_downgrade_to_base_leaves_nothing_and_up_again_works(url: str, expected: Schema) -> None:
    run_alembic(url, "upgrade", "head")
    run_alembic(url, "downgrade", "base")
    assert read_schema(url) == []
    engine = build_engine(url)
    with engine.connect() as connection:
        types = connection.execute(
            text("SELECT count(*) FROM duckdb_types() WHERE type_name = 'job_status'")
        )
        assert types.scalar() == 0
    engine.dispose()
    run_alembic(url, "upgrade", "head")
    assert read_schema(url) == expected


def test_command_line_works_from_another_directory(
    tmp_path: Path, url: str, expected: Schema
) -> None:
    run_alembic(url, "upgrade", "head", cwd=tmp_path)
    assert read_schema(url) == expected


def test_alembic_ini_counts_a_relative_path_from_its_own_folder(
    tmp_path: Path, expected: Schema
) -> None:
    ini = (REPOSITORY / "alembic.ini").read_text().replace("%(here)s", str(REPOSITORY))
    (tmp_path / "alembic.ini").write_text(ini)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FORGESYTE_")}
    subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(tmp_path / "alembic.ini"), "upgrade", "head"],
        cwd="/",
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert read_schema(f"duckdb:///{tmp_path}/data/foregsyte.duckdb") == expected


def test_migrations_run_from_an_installed_package(
    tmp_path: Path, url: str, expected: Schema
) -> None:
    """The wheel's files, unpacked elsewhere, hold all that a migration needs."""
    wheel_dir = tmp_path / "wheel"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--wheel-dir", str(wheel_dir), str(REPOSITORY)),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = wheel_dir.glob("*.whl")
    program = """if True:
        import sys
        import app
        from app.core.database import build_engine, migrate
        assert "unpacked" in app.__path__[0]
        with build_engine(sys.argv[1]).connect() as connection:
            migrate(connection)
    """
    unpacked = tmp_path / "unpacked"
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", str(wheel), str(unpacked)], check=True, timeout=60
    )
    subprocess.run(
        [sys.executable, "-c", program, url],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        check=True,
        timeout=60,
    )
    assert read_schema(url) == expected


def test_failing_migration_changes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = database.MIGRATIONS / "versions" / "0001_create_jobs.py"
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (scripts / name).write_text((database.MIGRATIONS / name).read_text())
    (scripts / "versions" / versions.name).write_text(versions.read_text())
    (scripts / "versions" / "0002_break.py").write_text(
        "from alembic import op\n"
        "revision, down_revision, branch_labels, depends_on = '0002', '0001', None, None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half_done (x INTEGER)')\n"
        "    raise RuntimeError('midway')\n"
    )
    monkeypatch.setattr(database, "MIGRATIONS", scripts)
    engine = build_engine(url)
    with engine.connect() as connection, pytest.raises(RuntimeError, match="midway"):
        migrate(connection)
    engine.dispose()
    assert read_schema(url) == []


def test_unknown_revision_is_refused(url: str) -> None:
    engine = build_engine(url)
    with engine.connect() as connection:
        migrate(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
        connection.commit()
        with pytest.raises(CommandError, match="from_the_future"):
            migrate(connection)
    engine.dispose()


def test_logging_of_the_application_is_left_alone(url: str) -> None:
    application, root = logging.getLogger("app"), logging.getLogger()
    before = (application.level, application.disabled, root.level, list(root.handlers))
    engine = build_engine(url)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
    assert (application.level, application.disabled, root.level, list(root.handlers)) == before


def test_offline_mode_prints_the_statements(capsys: pytest.CaptureFixture[str]) -> None:
    command.upgrade(migration_config("duckdb:///:memory:"), "head", sql=True)
    assert "CREATE TABLE jobs" in capsys.readouterr().out
