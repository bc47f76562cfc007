"""Runs the migrations, on the connection it is handed or on one of its own.

The application passes a connection in `config.attributes`. From the command line the URL is the
configured one: `FORGESYTE_*` first, then alembic.ini, whose relative path counts from its folder.
"""

import os
from pathlib import Path

from alembic import context
from alembic.ddl.impl import DefaultImpl
from alembic.util import CommandError
from sqlalchemy import Connection

from app.core.database import Base, build_engine
from app.core.database_place import refuse_bad_place
from app.core.errors import StartupError
from app.core.settings import ENV_PREFIX, Settings, database_path, resolve_database_url
from app.models.job import Job

TABLES = (Job.__table__,)  # a model is in Base.metadata only once it has been imported


class DuckDBImpl(DefaultImpl):
    """Alembic has no dialect for DuckDB; the default one fits, and DuckDB's DDL is atomic."""

    __dialect__ = "duckdb"
    transactional_ddl = True


def configured_url() -> str:
    """The database that the command line means.

    Raises:
        CommandError: none that there could be.
    """
    try:
        url = find_url()
        refuse_bad_place(Path(database_path(url)))
        return url
    except (StartupError, ValueError) as error:
        raise CommandError(str(error)) from error


def find_url() -> str:
    if {f"{ENV_PREFIX}DATABASE_URL", f"{ENV_PREFIX}DATA_DIR"} & os.environ.keys():
        return Settings.load().database_url
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise ValueError("sqlalchemy.url is not set")
    ini = context.config.config_file_name
    return resolve_database_url(url, Path(ini).resolve().parent if ini else None)


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    if context.is_offline_mode():
        context.configure(url=configured_url(), target_metadata=Base.metadata, literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    url = configured_url()
    path = Path(database_path(url))
    if path.is_absolute():
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = build_engine(url)
    with engine.connect() as own:
        migrate(own)
    engine.dispose()


main()
