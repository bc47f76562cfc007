"""Run in an interpreter of its own: print the schema that the models of a tree declare, and the
one that its migrations make.

The tree's `server` folder is the only entry of PYTHONPATH, so that no installed copy answers.
"""

import importlib
import json
import pkgutil

import sqlalchemy

import app.models
from app.core import database


def main() -> None:
    for module in pkgutil.walk_packages(app.models.__path__, "app.models."):
        importlib.import_module(module.name)
    statuses = importlib.import_module("app.models.job").JobStatus
    tables = database.Base.metadata.tables
    schema = {
        "source": database.__file__,
        "members": [str(status.value) for status in statuses],
        "columns": {name: list(table.columns.keys()) for name, table in tables.items()},
        "enums": [
            column.type.enums
            for table in tables.values()
            for column in table.columns
            if isinstance(column.type, sqlalchemy.Enum)
        ],
        **migrated_schema(),
    }
    print(json.dumps(schema))


def migrated_schema() -> dict[str, object]:
    """What Alembic makes of an empty database, but for the table in which it keeps its place."""
    with database.build_engine("duckdb:///:memory:").connect() as connection:
        database.migrate(connection)

        def column(query: str) -> list[object]:
            return list(connection.exec_driver_sql(query).scalars())

        tables = column("SELECT DISTINCT table_name FROM duckdb_tables() WHERE NOT internal")
        return {
            "migrated": {
                table: column(
                    f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'"
                )
                for table in tables
                if table != "alembic_version"
            },
            "migrated_enums": column(
                "SELECT labels FROM duckdb_types() WHERE logical_type = 'ENUM' AND NOT internal"
            ),
            "indexes": column("SELECT index_name FROM duckdb_indexes()"),
        }


if __name__ == "__main__":
    main()
