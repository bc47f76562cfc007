"""The tables and statuses that the tree's own models declare."""

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
    """`enums` are the values of every enumerated column, `members` those of JobStatus."""

    columns: dict[str, list[str]]
    enums: list[list[str]]
    members: list[str]


def read_schema(root: Path) -> Schema:
    """Import the models under `root` in a fresh interpreter.

    Raises:
        CannotJudge: they cannot be imported, or what was imported lies elsewhere.
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
    for table in sorted(schema.columns.keys() - {TABLE}):
        yield _finding(tree, table, f"the table {table}")
    columns = set(schema.columns.get(TABLE, ()))
    for column in sorted(columns - COLUMNS):
        yield _finding(tree, column, f"the column {column}")
    for column in sorted(COLUMNS - columns):
        yield Finding(JOB_MODEL, 1, f"no column {column}")


def four_statuses(tree: Tree, schema: Schema) -> Iterator[Finding]:
    for values in (schema.members, *schema.enums):
        for status in sorted(set(values) - STATUSES):
            yield _finding(tree, status, f"the status {status}")
        for status in sorted(STATUSES - set(values)):
            yield Finding(JOB_MODEL, 1, f"no status {status}")
    if not schema.enums:
        yield Finding(JOB_MODEL, 1, "no column that allows the four statuses alone")


def _finding(tree: Tree, word: str, what: str) -> Finding:
    """Where the models first name `word`; the metadata itself knows no lines."""
    for path in sorted(tree.under(["server/app/models"]), key=lambda path: path != JOB_MODEL):
        for line, text in enumerate(tree.text(path).splitlines(), start=1):
            if re.search(rf"\b{re.escape(word)}\b", text):
                return Finding(path, line, what)
    return Finding(JOB_MODEL, 1, what)
