"""The tables and statuses that the tree's own models declare and its migrations make."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.governance.findings import CannotJudge, Finding
from tools.governance.tree import Tree

JOB_MODEL = "server/app/models/job.py"
DECLARING = ("server/app/models", "server/app/migrations/versions")
TABLE = "jobs"
COLUMNS = frozenset(
    {
        "job_id",
        "status",
        "created_at",
        "updated_at",
        "pipeline_id",
        "input_path",
        "output_path",
        "error_message",
    }
)
STATUSES = frozenset({"pending", "running", "completed", "failed"})

PROBE = Path(__file__).with_name("schema_probe.py")
PROBE_SECONDS = 60


@dataclass(frozen=True)
class Schema:
    """`enums` are the values of every enumerated column, `members` those of JobStatus.

    `migrated`, `migrated_enums` and `indexes` are what the migrations make of an empty database.
    """

    columns: dict[str, list[str]]
    enums: list[list[str]]
    members: list[str]
    migrated: dict[str, list[str]]
    migrated_enums: list[list[str]]
    indexes: list[str]


def read_schema(root: Path) -> Schema:
    """Import the models under `root`, and run its migrations, in a fresh interpreter.

    Raises:
        CannotJudge: that fails, or what was imported lies elsewhere.
    """
    server = (root / "server").resolve()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FORGESYTE_")}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-B", PROBE],
            env=environment | {"PYTHONPATH": str(server)},
            cwd=root,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotJudge(f"The models cannot be imported: {last_line}") from error
    except subprocess.TimeoutExpired as error:
        raise CannotJudge(f"Importing the models took over {PROBE_SECONDS} s.") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise CannotJudge("Importing the models prints something or ends Python.") from error
    if not Path(answer.pop("source")).resolve().is_relative_to(server):
        raise CannotJudge("The models that were imported are not those of the tree.")
    return Schema(**answer)


def one_table_of_eight_columns(tree: Tree, schema: Schema) -> Iterator[Finding]:
    for origin, tables in (("the models", schema.columns), ("the migrations", schema.migrated)):
        for table in sorted(tables.keys() - {TABLE}):
            yield _finding(tree, table, f"the table {table} in {origin}")
        columns = set(tables.get(TABLE, ()))
        for column in sorted(columns - COLUMNS):
            yield _finding(tree, column, f"the column {column} in {origin}")
        for column in sorted(COLUMNS - columns):
            yield Finding(JOB_MODEL, 1, f"no column {column} in {origin}")
    for index in schema.indexes:
        yield _finding(tree, index, f"the index {index}")


def four_statuses(tree: Tree, schema: Schema) -> Iterator[Finding]:
    for values in (schema.members, *schema.enums, *schema.migrated_enums):
        for status in sorted(set(values) - STATUSES):
            yield _finding(tree, status, f"the status {status}")
        for status in sorted(STATUSES - set(values)):
            yield Finding(JOB_MODEL, 1, f"no status {status}")
    if not schema.enums:
        yield Finding(JOB_MODEL, 1, "no column that allows the four statuses alone")


def _finding(tree: Tree, word: str, what: str) -> Finding:
    """Where the models or migrations first name `word`; the schema itself knows no lines."""
    ranked = sorted(tree.under(DECLARING), key=lambda path: (path != JOB_MODEL, path))
    for path in ranked:
        for line, text in enumerate(tree.text(path).splitlines(), start=1):
            if re.search(rf"\b{re.escape(word)}\b", text):
                return Finding(path, line, what)
    return Finding(JOB_MODEL, 1, what)
