"""That commit hooks, where there are any, run the whole validator and are not passed over."""

import re
from collections.abc import Iterator

from tools.governance.findings import Finding
from tools.governance.makefile import MAKEFILE
from tools.governance.tree import Tree
from tools.governance.yaml_leaves import Leaf, leaves

HOOKS = (".pre-commit-config.yaml", ".pre-commit-config.yml")
JUDGING_ENTRY = re.compile(
    r"make governance|(\S*/)?python[0-9.]* server/tools/validate_phase16_path\.py"
)
JUDGING_KEYS = frozenset(
    {
        "always_run",
        "entry",
        "id",
        "language",
        "name",
        "pass_filenames",
        "require_serial",
        "verbose",
    }
)
NARROWING_KEYS = frozenset({"ci", "default_stages", "exclude", "files"})

# Other ways to have hooks, which nothing here can look into.
OTHER_HOOKS = frozenset(
    {".githooks", ".husky", ".lefthook.yml", "lefthook.yaml", "lefthook.yml", ".overcommit.yml"}
)
SKIPPING = re.compile(
    r"--no-verify\b|\bSKIP=|\bPRE_COMMIT_ALLOW_NO_CONFIG\b|\bcore\.hookspath\b"
    r"|\bgit\s+commit\b[^|;&]*\s-[a-z]*n",
    re.IGNORECASE,
)


def hooks_do_not_skip(tree: Tree) -> Iterator[Finding]:
    for path in HOOKS:
        if path in tree.paths:
            yield from _hooks(path, leaves(tree, path))
    for path in tree.paths:
        if not OTHER_HOOKS.isdisjoint(path.split("/")):
            yield Finding(path, 1, "hooks that cannot be looked into")
    for path in tree.under([MAKEFILE, ".ci", ".github"]):
        for line, text in enumerate(tree.text(path).splitlines(), start=1):
            if match := SKIPPING.search(text):
                yield Finding(path, line, match.group())


def _hooks(path: str, said: list[Leaf]) -> Iterator[Finding]:
    hooks: dict[tuple[str, ...], list[Leaf]] = {}
    for leaf in said:
        if leaf.trail[0] in NARROWING_KEYS:
            yield Finding(path, leaf.line, f"{leaf.trail[0]} narrows the hooks")
        if leaf.trail[0] == "repos" and leaf.trail[2:3] == ("hooks",):
            hooks.setdefault(leaf.trail[:4], []).append(leaf)
    judging = [hook for hook in hooks.values() if any(map(_runs_validator, hook))]
    if not judging:
        yield Finding(path, 1, "no hook runs the validator and nothing else")
    for leaf in (leaf for hook in judging for leaf in hook):
        if leaf.trail[4] not in JUDGING_KEYS:
            yield Finding(path, leaf.line, f"{leaf.trail[4]} narrows the validator's hook")
    for leaf in (leaf for hook in hooks.values() for leaf in hook):
        if re.search(r"\balembic\b", leaf.text) and leaf.trail[4] in {"entry", "args"}:
            yield Finding(path, leaf.line, "a hook that enforces migrations")


def _runs_validator(leaf: Leaf) -> bool:
    return leaf.trail[4] == "entry" and JUDGING_ENTRY.fullmatch(leaf.text.strip()) is not None
