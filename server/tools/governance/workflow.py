"""That the workflow runs the checks on every change, in a form that lets no failure through."""

import re
from collections.abc import Iterator

from tools.governance.findings import Finding
from tools.governance.tree import Tree
from tools.governance.yaml_leaves import Leaf, leaves

WORKFLOW = ".github/workflows/phase16_validation.yml"
COMMANDS = ("make governance", "make test", "make smoke")

# The events to run on, and by what each may be narrowed.
TRIGGERS = {"pull_request": frozenset[str](), "push": frozenset({"branches"})}
MAIN = "main"

# All that the workflow may say. What is missing could skip a job or change how its commands run:
# conditions, other shells, variables for all steps, failures to continue on.
SHAPE = re.compile(
    r"""
    name | on(/.*)? | permissions(/.*)? | concurrency(/.*)?
    | jobs/[^/]+/(
        name | runs-on | timeout-minutes | permissions(/.*)?
        | strategy/(fail-fast | max-parallel | matrix/(?!exclude/).*)
        | steps/[0-9]+/(name | id | if | uses | with/.* | run)
    )
    """,
    re.VERBOSE,
)
STEP_CONDITIONS = frozenset({"always()", "cancelled()", "failure()"})
PLAIN_STEP = frozenset({"name", "run"})
PLAIN_COMMANDS = re.compile(r"(make [a-z]+\s*)+")
SOFTENERS = re.compile(r"\|\|\s*(true|:|exit\s+0)|;\s*(true|exit\s+0)\b|\bset\s+\+e\b")


def workflow_blocks(tree: Tree) -> Iterator[Finding]:
    if WORKFLOW not in tree.paths:
        yield Finding(WORKFLOW, 1, "there is no workflow")
        return
    said = leaves(tree, WORKFLOW)
    yield from _triggers([leaf for leaf in said if leaf.trail[0] == "on"])
    for leaf in said:
        if not SHAPE.fullmatch("/".join(leaf.trail)):
            yield Finding(WORKFLOW, leaf.line, ".".join(leaf.trail))
        if leaf.trail[-1] == "if" and leaf.text not in STEP_CONDITIONS:
            yield Finding(WORKFLOW, leaf.line, f"if: {leaf.text}")
        if leaf.trail[-1] == "run" and (match := SOFTENERS.search(leaf.text)):
            yield Finding(WORKFLOW, leaf.line, match.group())
    run = set(_commands(said))
    for command in COMMANDS:
        if command not in run:
            yield Finding(WORKFLOW, 1, f"{command} is not run by a plain step")


def _triggers(said: list[Leaf]) -> Iterator[Finding]:
    filters = list(map(_filter, said))
    for event, allowed in TRIGGERS.items():
        named = [(narrowing, leaf) for name, narrowing, leaf in filters if name == event]
        if not named:
            yield Finding(WORKFLOW, 1, f"not run on every {event}")
        for narrowing, leaf in named:
            if narrowing and (narrowing not in allowed or leaf.text.startswith("!")):
                yield Finding(WORKFLOW, leaf.line, f"a filter on {event}")
        kept = {leaf.text for narrowing, leaf in named if narrowing in allowed}
        if kept and MAIN not in kept:
            yield Finding(WORKFLOW, named[0][1].line, f"a filter on {event} without {MAIN}")


def _filter(leaf: Leaf) -> tuple[str, str, Leaf]:
    """The event that a leaf below `on` speaks of, and by what it narrows it, if it does."""
    match leaf.trail:
        case ("on",):
            return leaf.text, "", leaf
        case ("on", position) if position.isdigit():
            return leaf.text, "", leaf
        case ("on", event):
            return event, "", leaf
        case (_, event, narrowing, *_):
            return event, narrowing, leaf
    raise AssertionError(leaf.trail)


def _commands(said: list[Leaf]) -> Iterator[str]:
    """The commands of the steps that do nothing but run make."""
    steps: dict[tuple[str, ...], dict[str, str]] = {}
    for leaf in said:
        if leaf.trail[2:3] == ("steps",):
            steps.setdefault(leaf.trail[:4], {})[leaf.trail[4]] = leaf.text
    for step in steps.values():
        script = step.get("run", "").strip()
        if step.keys() <= PLAIN_STEP and PLAIN_COMMANDS.fullmatch(script):
            yield from (line.strip() for line in script.splitlines())
