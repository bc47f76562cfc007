"""Packages, URL schemes and file names that must not appear."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache

from tools.governance.findings import Finding
from tools.governance.literals import first_argument, text_of
from tools.governance.policy import Ban
from tools.governance.requirements import Declared, names_of
from tools.governance.tree import Module, Tree

ENGINE_MAKERS = frozenset(
    {
        "app.core.database.build_engine",
        "sqlalchemy.create_engine",
        "sqlalchemy.engine.create_engine",
    }
)
URL_MAKERS = frozenset({"sqlalchemy.URL.create", "sqlalchemy.engine.URL.create"})


def find_banned(tree: Tree, ban: Ban, requirements: Iterable[Declared]) -> Iterator[Finding]:
    if ban.names:
        yield from _references(tree.modules(_places(tree, ban)), ban)
        for statement in requirements:
            yield from _dependencies(statement, ban)
    if ban.schemes:
        yield from _addresses(tree, ban)
    if ban.files:
        yield from _files(tree, ban)


def _places(tree: Tree, ban: Ban) -> Iterable[str]:
    return tree.under(ban.under) if ban.under else tree.paths


def _references(modules: Iterable[Module], ban: Ban) -> Iterator[Finding]:
    for module in modules:
        for line, path in module.names.references:
            if part := _banned_part(ban.names, path):
                yield Finding(module.path, line, f"{part} is used{module.note}")


def _dependencies(statement: Declared, ban: Ban) -> Iterator[Finding]:
    stated = statement.requirement
    if any(_is_banned(ban.names, name) for name in names_of(stated)):
        yield Finding(statement.path, statement.line, f"{stated} is required")
    for extra in statement.brought_in:
        if any(_is_banned(ban.names, name) for name in names_of(extra)):
            what = f"{stated} brings in {extra.name}"
            yield Finding(statement.path, statement.line, what)


@cache
def _banned_part(patterns: tuple[str, ...], path: str) -> str | None:
    """The shortest leading part of a dotted path that is banned."""
    parts = path.split(".")
    leading = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return next((part for part in leading if _is_banned(patterns, part)), None)


def _is_banned(patterns: tuple[str, ...], name: str) -> bool:
    return _expression(patterns).fullmatch(_canonical(name)) is not None


@cache
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        "|".join(re.escape(_canonical(name)).replace(r"\*", ".*") for name in patterns)
    )


def _canonical(name: str) -> str:
    """One spelling for the import path and the distribution of a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _addresses(tree: Tree, ban: Ban) -> Iterator[Finding]:
    """URLs in functional files; in tests, which name some to see them refused, only engines'.

    What DuckDB calls its extension for another system is an address of it, too.
    """
    schemes = "|".join(re.escape(scheme) for scheme in ban.schemes)
    url = re.compile(
        rf"(?<![\w+.-])(?:{schemes})(?:\+\w+)?://"
        rf"|(?:\binstall|\bload|\(\s*type)\s+'?(?:{schemes})(?:_scanner)?\b"
        rf"|\battach\s+'(?:{schemes}):",
        re.IGNORECASE,
    )
    driver = re.compile(rf"(?:{schemes})(?:\+\w+)?", re.IGNORECASE)
    for path in tree.functional:
        if not path.endswith(".py"):
            for passage in tree.passages(path):
                for match in url.finditer(passage.text):
                    line = passage.text.count("\n", 0, match.start()) + 1
                    yield Finding(path, line, f"{match.group()}…{passage.note}")
    for module in tree.modules(tree.functional):
        yield from _url_literals(module, url)
    for module in tree.modules(tree.paths):
        yield from _engine_addresses(module, url, driver)


def _url_literals(module: Module, url: re.Pattern[str]) -> Iterator[Finding]:
    for node, value in module.used_strings:
        for match in url.finditer(value):
            line = node.lineno + value.count("\n", 0, match.start())
            yield Finding(module.path, line, f"{match.group()}…{module.note}")


def _engine_addresses(
    module: Module, url: re.Pattern[str], driver: re.Pattern[str]
) -> Iterator[Finding]:
    for call, maker in module.calls:
        if maker in ENGINE_MAKERS:
            given = text_of(first_argument(call, "url"))
            refused = given and url.match(given)
        elif maker in URL_MAKERS:
            given = text_of(first_argument(call, "drivername"))
            refused = given and driver.fullmatch(given)
        else:
            continue
        if refused:
            yield Finding(module.path, call.lineno, f"an engine on {given}{module.note}")


def _files(tree: Tree, ban: Ban) -> Iterator[Finding]:
    patterns = [pattern.lower() for pattern in ban.files]
    for path in _places(tree, ban):
        for part in path.lower().split("/"):
            if any(fnmatchcase(part, pattern) for pattern in patterns):
                yield Finding(path, 1, f"the name {part}")
