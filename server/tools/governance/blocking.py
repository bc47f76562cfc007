"""That nothing lets a violation through: the workflow, the Makefile, and commit hooks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tools.governance.findings import CannotJudge, Finding
from tools.governance.tree import Tree

WORKFLOW = ".github/workflows/phase16_validation.yml"
MAKEFILE = "Makefile"
HOOKS = (".pre-commit-config.yaml", ".pre-commit-config.yml")
VALIDATOR = "validate_phase16_path.py"

TRIGGERS = {("pull_request",): "", ("push", "branches", "0"): "main"}
COMMANDS = ("make governance", "make test", "make smoke")
SOFTENERS = re.compile(r"\|\|\s*(true|:|exit\s+0)|;\s*(true|exit\s+0)\b|\bset\s+\+e\b")
HOOK_KEYS = frozenset({"id", "name", "entry", "language", "pass_filenames", "always_run"})
NARROWING_KEYS = frozenset({"ci", "default_stages", "exclude", "files"})
SKIPPING = re.compile(r"--no-verify\b|\bSKIP=|\bPRE_COMMIT_ALLOW_NO_CONFIG\b")


@dataclass(frozen=True)
class Leaf:
    """A scalar of a YAML document: the keys and positions that lead to it, its line, its text."""

    trail: tuple[str, ...]
    line: int
    text: str


def ci_blocks(tree: Tree) -> Iterator[Finding]:
    yield from _workflow(tree)
    yield from _makefile(tree)


def hooks_do_not_skip(tree: Tree) -> Iterator[Finding]:
    for path in HOOKS:
        if path in tree.paths:
            yield from _hooks(path, _leaves(tree, path))
    for path in tree.under([MAKEFILE, ".ci", ".github"]):
        for line, text in enumerate(tree.text(path).splitlines(), start=1):
            if match := SKIPPING.search(text):
                yield Finding(path, line, match.group())


def _workflow(tree: Tree) -> Iterator[Finding]:
    if WORKFLOW not in tree.paths:
        yield Finding(WORKFLOW, 1, "there is no workflow")
        return
    leaves = _leaves(tree, WORKFLOW)
    yield from _triggers([leaf for leaf in leaves if leaf.trail[0] == "on"])
    scripts = [leaf for leaf in leaves if leaf.trail[-1] == "run"]
    for leaf in leaves:
        for key in {"if", "continue-on-error"} & set(leaf.trail):
            yield Finding(WORKFLOW, leaf.line, key)
    for leaf in scripts:
        if match := SOFTENERS.search(leaf.text):
            yield Finding(WORKFLOW, leaf.line, match.group())
    run = {line.strip() for leaf in scripts for line in leaf.text.splitlines()}
    for command in COMMANDS:
        if command not in run:
            yield Finding(WORKFLOW, 1, f"{command} is not run")


def _triggers(leaves: list[Leaf]) -> Iterator[Finding]:
    for leaf in leaves:
        event = leaf.trail[1:]
        if event[:1] in {("pull_request",), ("push",)} and TRIGGERS.get(event) != leaf.text:
            yield Finding(WORKFLOW, leaf.line, f"a filter on {event[0]}")
    for event in TRIGGERS.keys() - {leaf.trail[1:] for leaf in leaves}:
        yield Finding(WORKFLOW, 1, f"not run on every {event[0]}")


def _makefile(tree: Tree) -> Iterator[Finding]:
    if MAKEFILE not in tree.paths:
        yield Finding(MAKEFILE, 1, "there is no Makefile")
        return
    recipe = ""
    runs_validator = is_part_of_test = False
    for number, line in enumerate(tree.text(MAKEFILE).splitlines(), start=1):
        if heading := re.match(r"([\w.-]+)\s*:(?!=)([^#]*)", line):
            recipe = heading[1]
            is_part_of_test |= recipe == "test" and "governance" in heading[2].split()
            if recipe == ".IGNORE":
                yield Finding(MAKEFILE, number, ".IGNORE")
        elif recipe in {"governance", "smoke", "test"} and line.startswith("\t"):
            runs_validator |= recipe == "governance" and VALIDATOR in line
            if line.lstrip("\t@ +").startswith("-") or SOFTENERS.search(line):
                yield Finding(MAKEFILE, number, f"a failure of {recipe} is ignored")
    if not runs_validator:
        yield Finding(MAKEFILE, 1, "make governance does not run the validator")
    if not is_part_of_test:
        yield Finding(MAKEFILE, 1, "make test does not begin with make governance")


def _hooks(path: str, leaves: list[Leaf]) -> Iterator[Finding]:
    hooks: dict[tuple[str, ...], dict[str, Leaf]] = {}
    for leaf in leaves:
        if leaf.trail[0] in NARROWING_KEYS:
            yield Finding(path, leaf.line, f"{leaf.trail[0]} narrows the hooks")
        if leaf.trail[0] == "repos" and leaf.trail[2:3] == ("hooks",):
            hooks.setdefault(leaf.trail[:4], {})[leaf.trail[4]] = leaf
    judging = [hook for hook in hooks.values() if _runs_validator(hook)]
    if not judging:
        yield Finding(path, 1, "no hook runs the validator")
    for hook in judging:
        for key in sorted(hook.keys() - HOOK_KEYS):
            yield Finding(path, hook[key].line, f"{key} narrows the validator's hook")
    for hook in hooks.values():
        if (entry := hook.get("entry")) and "alembic" in entry.text:
            yield Finding(path, entry.line, "a hook that enforces migrations")


def _runs_validator(hook: dict[str, Leaf]) -> bool:
    return "entry" in hook and bool(
        re.search(rf"make governance|{re.escape(VALIDATOR)}", hook["entry"].text)
    )


def _leaves(tree: Tree, path: str) -> list[Leaf]:
    try:
        document: Any = yaml.compose(tree.text(path), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise CannotJudge(f"{path} is not YAML: {error}") from error
    if not isinstance(document, yaml.MappingNode):
        raise CannotJudge(f"{path} must hold a mapping.")
    return list(_walk(document, ()))


def _walk(node: yaml.Node, trail: tuple[str, ...]) -> Iterator[Leaf]:
    match node:
        case yaml.MappingNode(value=pairs):
            for key, value in pairs:
                yield from _walk(value, (*trail, str(key.value)))
        case yaml.SequenceNode(value=items):
            for position, item in enumerate(items):
                yield from _walk(item, (*trail, str(position)))
        case _:
            yield Leaf(trail, node.start_mark.line + 1, str(node.value))
