"""What a section of the benchmarks hands back, for people and for machines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

Cell = str | float


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns; the first cell names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Target:
    """A figure and the bound that it is to keep: the least it may be, or the most."""

    name: str
    measured: float
    bound: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        if self.at_least:
            return self.measured >= self.bound
        return self.measured <= self.bound


@dataclass(frozen=True)
class Report:
    tables: Sequence[Table]
    targets: Sequence[Target] = field(default=())

    def print(self, console: Console) -> None:
        for table in self.tables:
            print_table(console, table)
        rows = [
            (
                target.name,
                target.measured,
                f"{'≥' if target.at_least else '≤'} {target.bound:g}",
                "yes" if target.reached else "no",
            )
            for target in self.targets
        ]
        if rows:
            print_table(console, Table("Targets", ["", "measured", "target", "reached"], rows))

    def as_json(self) -> dict[str, Any]:
        return {
            "tables": {
                table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
                for table in self.tables
            },
            "targets": [
                {
                    "name": target.name,
                    "measured": target.measured,
                    "at_least" if target.at_least else "at_most": target.bound,
                    "reached": target.reached,
                }
                for target in self.targets
            ],
        }


def print_table(console: Console, table: Table) -> None:
    printed = RichTable(title=table.title, title_justify="left")
    for number, name in enumerate(table.columns):
        printed.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        printed.add_row(*map(shown, row))
    console.print(printed)


def shown(cell: Cell) -> str:
    """A number to three digits or, from a thousand up, as a whole."""
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if cell >= 1000 else f"{cell:.3g}"
