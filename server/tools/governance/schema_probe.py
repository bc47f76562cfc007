"""Run in an interpreter of its own: print the schema that the models of a tree declare.

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
    }
    print(json.dumps(schema))


if __name__ == "__main__":
    main()
