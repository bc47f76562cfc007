"""What a check reports, and how it says that it cannot."""

from dataclasses import dataclass


class CannotJudge(Exception):
    """The tree or the policy cannot be read, so neither a pass nor a failure would be true."""


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule. `path` is relative to the root, `line` counts from 1."""

    path: str
    line: int
    what: str


@dataclass(frozen=True, order=True)
class Violation:
    """A finding under its rule, as the person who must mend it reads it."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"
