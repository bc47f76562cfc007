"""That nothing lets a violation through on its way into the tree."""

import re
import shlex
from collections.abc import Iterator

from tools.governance.findings import Finding
from tools.governance.makefile import MAKEFILE, makefile_blocks
from tools.governance.tree import PROJECT_FILE, Tree
from tools.governance.workflow import WORKFLOW, workflow_blocks

LANDING = ".ci/run"
STRICT_SHELL = "set -euo pipefail"
LANDING_COMMANDS = ("make test", "make smoke")
ANY_CHECK = re.compile(r"make [a-z]+")

# With these the lines after them are not what they look like.
LEAVING = re.compile(r"\b(exit|exec|return|trap|alias|eval|source|set)\b|<<|\(\)|^\. ")

# Variables that change what make, bash or pytest do, whoever runs them.
OVERRIDING = re.compile(
    r"\b(MAKEFLAGS|GNUMAKEFLAGS|MAKEFILES|MAKELEVEL|SHELLOPTS|BASH_ENV|GITHUB_PATH|PYTEST_\w+)\b"
)

# Files that make, pytest, ruff or mypy would read instead of ours.
IN_PLACE_OF_OURS = frozenset(
    {
        "GNUmakefile",
        "makefile",
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        ".pytest.toml",
        "tox.ini",
        "ruff.toml",
        ".ruff.toml",
        "mypy.ini",
        ".mypy.ini",
        ".importlinter",
    }
)

TEST_PATHS = ["tests"]
LEFT_TO_OTHER_TARGETS = frozenset({".*", "tests/faults", "tests/benchmarks"})
SELECTING_OPTIONS = frozenset(
    {"python_files", "python_classes", "python_functions", "collect_imported_tests"}
)
HARMLESS_ARGUMENT = re.compile(r"--strict(-\w+)?|--(import-mode|durations|tb)=\w+|-[qv]+|-r\w+")


def ci_blocks(tree: Tree) -> Iterator[Finding]:
    yield from workflow_blocks(tree)
    yield from makefile_blocks(tree)
    yield from _landing_blocks(tree)
    yield from _pytest_runs_all(tree)
    for path in sorted(IN_PLACE_OF_OURS.intersection(tree.paths)):
        yield Finding(path, 1, "it stands in for settings of ours")
    for path in tree.under([WORKFLOW, MAKEFILE, LANDING]):
        for line, text in enumerate(tree.text(path).splitlines(), start=1):
            if match := OVERRIDING.search(text):
                yield Finding(path, line, match.group())


def _landing_blocks(tree: Tree) -> Iterator[Finding]:
    """The script prepares the machine as it likes, and ends in plain commands."""
    if LANDING not in tree.paths:
        yield Finding(LANDING, 1, "there is no script to land a change with")
        return
    numbered = enumerate(tree.text(LANDING).splitlines(), start=1)
    lines = [(number, line) for number, line in numbered if not re.match(r"\s*(#|$)", line)]
    if not lines or lines[0][1] != STRICT_SHELL:
        yield Finding(LANDING, 1, f"it does not begin with {STRICT_SHELL}")
    run: set[str] = set()
    for number, line in lines[1:]:
        if ANY_CHECK.fullmatch(line):
            run.add(line)
        elif run or "make" in line.split() or LEAVING.search(line):
            yield Finding(LANDING, number, f"{line.strip()} may let a failure pass")
    for command in LANDING_COMMANDS:
        if command not in run:
            yield Finding(LANDING, 1, f"{command} is not run")


def _pytest_runs_all(tree: Tree) -> Iterator[Finding]:
    pytest = tree.project.get("tool", {}).get("pytest", {})
    options = pytest.get("ini_options", {})
    passed_over = set(options.get("norecursedirs", [])) - LEFT_TO_OTHER_TARGETS
    unknown = [
        argument
        for argument in shlex.split(options.get("addopts", ""))
        if not HARMLESS_ARGUMENT.fullmatch(argument)
    ]
    for option in (
        *(f"addopts {argument}" for argument in unknown),
        *(f"norecursedirs {folder}" for folder in sorted(passed_over)),
        *sorted(options.keys() & SELECTING_OPTIONS),
        *sorted(pytest.keys() - {"ini_options"}),
    ):
        yield Finding(PROJECT_FILE, 1, f"pytest's {option} may pass over tests")
    if options.get("testpaths") != TEST_PATHS:
        yield Finding(PROJECT_FILE, 1, f"pytest's testpaths are not {TEST_PATHS}")
