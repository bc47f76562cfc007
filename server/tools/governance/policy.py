"""The rules as data.

The file holds four sections. `terms` are forbidden words, `bans` are packages, address schemes and
file names, `rules` are what code in this package checks, `beyond_a_machine` says for a global rule
what is left to people and other tests. Together they must account for every global rule.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.governance.findings import CannotJudge

GLOBAL_RULES = frozenset(f"G{number}" for number in range(1, 26))


@dataclass(frozen=True)
class Example:
    """A file that a test plants in a copy of the tree.

    `text` is the whole file, or, where `replaces` is given, takes the place of that passage.
    """

    path: str
    text: str
    replaces: str | None


@dataclass(frozen=True)
class Rule:
    """`governs` are the global rules that it enforces; without, a story's own limit of scope."""

    id: str
    governs: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Term(Rule):
    """A forbidden word. `spellings` are explained in `vocabulary.WordSearch`."""

    spellings: tuple[str, ...]
    invalid: tuple[str, ...]
    valid: tuple[str, ...]


@dataclass(frozen=True)
class CheckedRule(Rule):
    """A rule that is judged by code under its id."""

    invalid: tuple[Example, ...]
    valid: tuple[Example, ...]


@dataclass(frozen=True)
class Ban(CheckedRule):
    """What must not appear in the folders `under`, or anywhere when there are none.

    `names` are packages: import paths and distributions alike. `schemes` are those of URLs.
    `files` are patterns for the name of a file or of a folder.
    """

    under: tuple[str, ...]
    names: tuple[str, ...]
    schemes: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Policy:
    terms: tuple[Term, ...]
    bans: tuple[Ban, ...]
    rules: tuple[CheckedRule, ...]
    beyond_a_machine: dict[str, str]


def load_policy(path: Path) -> Policy:
    """Read the vocabulary file.

    Raises:
        CannotJudge: it is unreadable, has an unknown, repeated or missing key, an empty value,
            or leaves a global rule unaccounted for.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CannotJudge(f"{path.name} cannot be read: {error}") from error
    with _section(raw, path.name) as top:
        policy = Policy(
            terms=tuple(_term(item, where) for item, where in top.items("terms")),
            bans=tuple(_ban(item, where) for item, where in top.items("bans")),
            rules=tuple(_checked_rule(item, where) for item, where in top.items("rules")),
            beyond_a_machine=top.sentences("beyond_a_machine"),
        )
    _demand_unique_ids([*policy.terms, *policy.bans, *policy.rules])
    _demand_completeness(policy)
    return policy


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a key that is written twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is written twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


class _Section:
    """One mapping of the file. What is never asked for is an unknown key."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise CannotJudge(f"{where} must be a mapping.")
        self._left = dict(value)
        self._where = where

    def text(self, key: str) -> str:
        value = self._left.pop(key, None)
        if not isinstance(value, str) or not value.strip():
            raise CannotJudge(f"{self._where}: {key} must be a text that is not empty.")
        return value

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self._left else None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._left.pop(key, None)
        if not isinstance(value, list) or not value:
            raise CannotJudge(f"{self._where}: {key} must be a list that is not empty.")
        if not all(isinstance(item, str) and item.strip() for item in value):
            raise CannotJudge(f"{self._where}: {key} must hold texts that are not empty.")
        return tuple(value)

    def optional_texts(self, key: str) -> tuple[str, ...]:
        return self.texts(key) if key in self._left else ()

    def items(self, key: str) -> Iterator[tuple[object, str]]:
        value = self._left.pop(key, None)
        if not isinstance(value, list) or not value:
            raise CannotJudge(f"{self._where}: {key} must be a list that is not empty.")
        for number, item in enumerate(value, start=1):
            yield item, f"{self._where}: {key}[{number}]"

    def sentences(self, key: str) -> dict[str, str]:
        with _section(self._left.pop(key, None), f"{self._where}: {key}") as section:
            return {name: section.text(name) for name in list(section._left)}

    def demand_empty(self) -> None:
        if self._left:
            unknown = ", ".join(map(str, self._left))
            raise CannotJudge(f"{self._where}: unknown key: {unknown}.")


@contextmanager
def _section(value: object, where: str) -> Iterator[_Section]:
    section = _Section(value, where)
    yield section
    section.demand_empty()


def _term(value: object, where: str) -> Term:
    with _section(value, where) as section:
        return Term(
            id=section.text("id"),
            governs=section.optional_texts("governs"),
            reason=section.text("reason"),
            spellings=section.texts("spellings"),
            invalid=section.texts("invalid"),
            valid=section.texts("valid"),
        )


def _checked_rule(value: object, where: str) -> CheckedRule:
    with _section(value, where) as section:
        return CheckedRule(
            id=section.text("id"),
            governs=section.optional_texts("governs"),
            reason=section.text("reason"),
            invalid=_examples(section, "invalid"),
            valid=_examples(section, "valid"),
        )


def _ban(value: object, where: str) -> Ban:
    with _section(value, where) as section:
        ban = Ban(
            id=section.text("id"),
            governs=section.optional_texts("governs"),
            reason=section.text("reason"),
            invalid=_examples(section, "invalid"),
            valid=_examples(section, "valid"),
            under=section.optional_texts("under"),
            names=section.optional_texts("names"),
            schemes=section.optional_texts("schemes"),
            files=section.optional_texts("files"),
        )
    if not (ban.names or ban.schemes or ban.files):
        raise CannotJudge(f"{where}: a ban needs names, schemes or files.")
    return ban


def _examples(section: _Section, key: str) -> tuple[Example, ...]:
    return tuple(_example(item, where) for item, where in section.items(key))


def _example(value: object, where: str) -> Example:
    with _section(value, where) as section:
        return Example(
            path=section.text("path"),
            text=section.text("text"),
            replaces=section.optional_text("replaces"),
        )


def _demand_unique_ids(rules: Sequence[Rule]) -> None:
    ids = [rule.id for rule in rules]
    for rule in rules:
        if not re.fullmatch(r"[a-z]+([-_][a-z]+)*", rule.id) or ids.count(rule.id) > 1:
            raise CannotJudge(f"The rule id {rule.id!r} is malformed or used twice.")


def _demand_completeness(policy: Policy) -> None:
    named = set(policy.beyond_a_machine)
    for rule in (*policy.terms, *policy.bans, *policy.rules):
        named.update(rule.governs)
    if strange := named - GLOBAL_RULES:
        raise CannotJudge(f"There is no global rule {', '.join(sorted(strange))}.")
    if missing := GLOBAL_RULES - named:
        raise CannotJudge(f"The policy says nothing of {', '.join(sorted(missing))}.")
