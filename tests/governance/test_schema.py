"""The models under judgment are imported, never an installed copy of them."""

import os
from pathlib import Path

import pytest

from tests.governance.planting import Plant
from tools.governance.findings import CannotJudge
from tools.governance.policy import Example
from tools.governance.schema import COLUMNS, STATUSES, Schema, four_statuses, read_schema
from tools.governance.tree import Tree


def test_the_schema_is_that_of_the_tree(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says; and nothing is left behind in the tree."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("FORGESYTE_DATABASE_URL", "nonsense")
    monkeypatch.setenv("PYTHONPATH", os.fspath(copy / "tests"))
    schema = read_schema(copy)
    assert schema.columns.keys() == {"jobs"}
    assert set(schema.columns["jobs"]) == COLUMNS
    assert {name: set(columns) for name, columns in schema.migrated.items()} == {"jobs": COLUMNS}
    assert [set(values) for values in schema.migrated_enums] == [STATUSES]
    assert schema.indexes == []
    assert set(schema.members) == STATUSES
    assert not list((copy / "server" / "app").rglob("__pycache__"))


def test_a_status_that_the_database_leaves_open_is_a_violation(copy: Path) -> None:
    columns = {"jobs": list(COLUMNS)}
    schema = Schema(
        columns=columns,
        enums=[],
        members=list(STATUSES),
        migrated=columns,
        migrated_enums=[],
        indexes=[],
    )
    (finding,) = four_statuses(Tree(copy), schema)
    assert finding.what == "no column that allows the four statuses alone"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('raise RuntimeError("no models today")', "RuntimeError: no models today"),
        ("raise SystemExit(3)", "cannot be imported"),
        ("raise SystemExit(0)", "ends Python"),
        ("print(1)", "prints something"),
    ],
)
def test_models_that_cannot_be_imported_are_refused(
    plant: Plant, text: str, complaint: str
) -> None:
    with (
        plant(Example("server/app/models/planted.py", text, None)) as root,
        pytest.raises(CannotJudge, match=complaint),
    ):
        read_schema(root)


def test_models_from_elsewhere_are_refused(copy: Path, tmp_path: Path) -> None:
    """A tree that reaches for another's models must not pass on their merit."""
    package = tmp_path / "server" / "app"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"__path__ = [{os.fspath(copy / 'server' / 'app')!r}]\n")
    with pytest.raises(CannotJudge, match="not those of the tree"):
        read_schema(tmp_path)
