"""That `make test` and `make smoke` run what they say, and fail when it does."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.governance.findings import Finding
from tools.governance.lines import logical_lines
from tools.governance.tree import Tree

MAKEFILE = "Makefile"

# Every check, and all that its recipe may be: what is written out here cannot be softened there.
RECIPES = {
    "governance": "$(BIN)/python server/tools/validate_phase16_path.py",
    "format": "$(BIN)/ruff format --check server tests",
    "lint": "$(BIN)/ruff check server tests",
    "types": "$(BIN)/mypy",
    "imports": "$(BIN)/lint-imports",
    "unit": "$(BIN)/pytest",
    "smoke": "$(BIN)/python server/tools/smoke_test.py",
}
OF_TEST = RECIPES.keys() - {"smoke"}
SETTINGS = frozenset(
    {
        ".DEFAULT_GOAL := help",
        "PYTHON ?= python3",
        "VENV := .venv",
        "BIN := $(VENV)/bin",
        "READY := $(VENV)/.ready",
    }
)
HEADING = re.compile(r"(?P<targets>[\w.$()/ -]+?) *::? *(?P<needs>[^#=:;]*)(#.*)?")


@dataclass
class Rules:
    """What the Makefile says of every target. `odd` are the lines that are no plain rule."""

    needs: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    recipes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[str, int] = field(default_factory=dict)
    odd: list[tuple[int, str]] = field(default_factory=list)


def makefile_blocks(tree: Tree) -> Iterator[Finding]:
    if MAKEFILE not in tree.paths:
        yield Finding(MAKEFILE, 1, "there is no Makefile")
        return
    rules = _read(tree.text(MAKEFILE))
    for line, text in rules.odd:
        yield Finding(MAKEFILE, line, f"{text} could change what every command does")
    for target, recipe in RECIPES.items():
        if rules.recipes[target] != [recipe]:
            line = rules.lines.get(target, 1)
            yield Finding(MAKEFILE, line, f"the recipe of {target} is not {recipe} alone")
    for check in sorted(OF_TEST - rules.needs["test"]):
        yield Finding(MAKEFILE, rules.lines.get("test", 1), f"make test leaves out {check}")
    for target in sorted({*RECIPES, "test"} - rules.needs[".PHONY"]):
        yield Finding(MAKEFILE, 1, f"a file named {target} would stand in for the target")


def _read(text: str) -> Rules:
    rules = Rules()
    targets: list[str] = []
    for number, line in logical_lines(text):
        if line.startswith("\t"):
            for target in targets:
                rules.recipes[target].append(line.strip())
        elif heading := HEADING.fullmatch(line):
            targets = heading["targets"].split()
            for target in targets:
                rules.needs[target].update(heading["needs"].split())
                rules.lines.setdefault(target, number)
                if target.startswith(".") and target != ".PHONY":
                    rules.odd.append((number, target))
        elif line.strip() and not line.startswith("#") and line not in SETTINGS:
            rules.odd.append((number, line))
    return rules
