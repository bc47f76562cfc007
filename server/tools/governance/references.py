"""What a module imports and names, as dotted paths such as `sqlalchemy.orm.declarative_base`."""

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property

from tools.governance.literals import first_argument, text_of

IMPORTERS = frozenset(
    {
        "builtins.__import__",
        "importlib.__import__",
        "importlib.import_module",
        "importlib.util.find_spec",
        "pkgutil.resolve_name",
        "runpy.run_module",
    }
)


class Names:
    """The names that a module's imports bind, and plain assignments of what was imported.

    Relative imports are the tree's own.
    """

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self._nodes = tuple(nodes)
        self._bound = {"__import__": "builtins.__import__"} | dict(_bindings(self._nodes))
        for node in self._nodes:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    if path := self.resolve(value):
                        self._bound.setdefault(name, path)

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted path that a name or an attribute stands for, if it comes from an import."""
        match node:
            case ast.Name(id=name):
                return self._bound.get(name)
            case ast.Attribute(value=value, attr=attribute):
                base = self.resolve(value)
                return f"{base}.{attribute}" if base else None
        return None

    @cached_property
    def references(self) -> tuple[tuple[int, str], ...]:
        """The line and the dotted path of every import and every use of what was imported."""
        return tuple(self._references())

    def _references(self) -> Iterator[tuple[int, str]]:
        for node in self._nodes:
            match node:
                case ast.Import(names=aliases):
                    yield from ((node.lineno, alias.name) for alias in aliases)
                case ast.ImportFrom(module=str(module), names=aliases, level=0):
                    yield from ((node.lineno, f"{module}.{alias.name}") for alias in aliases)
                case ast.Attribute() if path := self.resolve(node):
                    yield node.lineno, path
                case ast.Call(func=function) if self.resolve(function) in IMPORTERS:
                    if path := text_of(first_argument(node, "name")):
                        yield node.lineno, path.replace(":", ".")


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    top = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (top, top)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                for alias in aliases:
                    yield alias.asname or alias.name, f"{module}.{alias.name}"
