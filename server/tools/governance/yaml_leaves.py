"""The scalars of a YAML document with their lines, which a plain load would drop."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tools.governance.findings import CannotJudge
from tools.governance.tree import Tree


@dataclass(frozen=True)
class Leaf:
    """A scalar: the keys and positions that lead to it, its line, its text."""

    trail: tuple[str, ...]
    line: int
    text: str


def leaves(tree: Tree, path: str) -> list[Leaf]:
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
