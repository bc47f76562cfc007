"""The DuckDB database: the declarative base, the engine, and how a schema comes about."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import declarative_base, sessionmaker

from app.core.errors import DatabaseBroken, DatabaseError
from app.core.settings import DUCKDB, database_path, resolve_database_url

DEFAULT_DATABASE_URL = "duckdb:///data/foregsyte.duckdb"
IN_MEMORY = f"{DUCKDB}:memory:"
FIRST_REVISION = "0001"
MIGRATIONS = Path(__file__).parent.parent / "migrations"

Base = declarative_base()


def build_engine(url: str) -> Engine:
    """An engine that connects on first use.

    DuckDB gets one thread: job rows are small statements, for which its own parallelism costs
    more than it brings. Sessions end their transactions themselves, so the pool need not, but for
    one whose commit was refused.
    """
    location = URL.create("duckdb", database=database_path(url))
    engine = create_engine(
        location, connect_args={"config": {"threads": 1}}, pool_reset_on_return=None
    )
    event.listen(engine, "handle_error", end_transaction)
    return engine


def end_transaction(context: ExceptionContext) -> None:
    """Roll back after an error, so that the connection's next user can begin."""
    if context.connection is not None:
        with suppress(duckdb.Error):  # DuckDB itself may have ended it
            context.connection.connection.rollback()


engine = build_engine(resolve_database_url(DEFAULT_DATABASE_URL))
SessionLocal = sessionmaker(bind=engine)


def engine_for(url: str) -> Engine:
    """The module's engine when `url` is its own, else a new one. One file has one engine."""
    return engine if engine.url.database == database_path(url) else build_engine(url)


def migration_config(url: str) -> Config:
    """Alembic's configuration, independent of the working directory and of alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision and write it through to the database file.

    The checkpoint keeps schema changes out of the write-ahead log that a crash replays.
    """
    config = migration_config(connection.engine.url.render_as_string(hide_password=False))
    config.attributes["connection"] = connection
    adopt_unstamped(connection, config)
    command.upgrade(config, "head")
    connection.commit()
    connection.execute(text("CHECKPOINT"))
    connection.commit()


def adopt_unstamped(connection: Connection, config: Config) -> None:
    """Take a jobs table that was made without Alembic for the first revision's, when its columns
    are the same. Paths in it become the storage's keys.

    Raises:
        DatabaseError: they are others.
    """
    columns = columns_of_jobs(connection)
    if not columns or is_stamped(connection):
        return
    if columns != columns_of_first_revision():
        raise DatabaseError(
            "its table jobs has other columns than ours; move the file away to start with a new one"
        )
    command.stamp(config, FIRST_REVISION)
    for column in ("input_path", "output_path"):
        connection.execute(text(f"UPDATE jobs SET {column} = regexp_replace({column}, '.*/', '')"))
    connection.commit()


def is_stamped(connection: Connection) -> bool:
    tables = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'alembic_version'"
    if not connection.execute(text(tables)).scalar():
        return False
    return connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() != 0


def columns_of_jobs(connection: Connection) -> set[tuple[str, str, bool]]:
    """Name, type and whether it may be null, for each column."""
    found = connection.execute(
        text(
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns() "
            "WHERE table_name = 'jobs' AND NOT internal"
        )
    )
    return {(name, kind, nullable) for name, kind, nullable in found}


def columns_of_first_revision() -> set[tuple[str, str, bool]]:
    engine = build_engine(IN_MEMORY)
    config = migration_config(IN_MEMORY)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, FIRST_REVISION)
            return columns_of_jobs(connection)
    finally:
        engine.dispose()


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise what SQLAlchemy raises as an error of ours.

    Raises:
        DatabaseError: the database refused.
        DatabaseBroken: it is unusable.
    """
    try:
        yield
    except SQLAlchemyError as error:
        broken = isinstance(cause_of(error), duckdb.FatalException | duckdb.InternalException)
        raise (DatabaseBroken if broken else DatabaseError)(reason_of(error)) from error


def cause_of(error: BaseException) -> BaseException | None:
    """DuckDB's own error, where SQLAlchemy has wrapped it."""
    return error.orig if isinstance(error, DBAPIError) else error


def reason_of(error: BaseException) -> str:
    """The first line of what DuckDB says."""
    cause = cause_of(error)
    return str(cause).strip().partition("\n")[0] or type(cause).__name__
