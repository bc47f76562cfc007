"""The documents of the repository, and what is found in a text in Markdown."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).parents[2]
PHASE = REPOSITORY / ".ampcode/04_PHASE_NOTES/Phase_16"

_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Command:
    """A line behind a `$`, with the here-document that belongs to it, and what it is said to
    print."""

    text: str
    output: str


def tracked_files() -> list[str]:
    """What Git tracks or would track, as paths relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return sorted({path for path in listed if path and (REPOSITORY / path).is_file()})


def documents() -> list[Path]:
    return [REPOSITORY / path for path in tracked_files() if path.endswith(".md")]


def fences(text: str, language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return [
        token.content for token in _tokens(text) if token.type == "fence" and token.info == language
    ]


def languages(text: str) -> set[str]:
    """The languages of all code blocks; the empty string for a block that names none."""
    return {token.info for token in _tokens(text) if token.type in ("fence", "code_block")}


def commands(text: str) -> list[Command]:
    """The commands of the `console` blocks, in order."""
    return [found for block in fences(text, "console") for found in _commands(block)]


def _commands(block: str) -> Iterator[Command]:
    for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        first, _, rest = piece.partition("\n")
        here = re.search(r"<<'(\w+)'$", first)
        if here:
            body, end, rest = rest.partition(f"\n{here[1]}\n")
            first = f"{first}\n{body}{end}"
        yield Command(first, rest.strip())


def links(text: str) -> list[str]:
    """The targets of all links and pictures."""
    targets = [part.attrGet("href") or part.attrGet("src") for part in _inline(text)]
    return [str(target) for target in targets if target]


def citations(text: str) -> list[tuple[str, str]]:
    """What is cited as a name in a file of Python, `name` in [file](path): name and path, which
    counts from the root."""
    return re.findall(r"`([\w.]+)` in \[[\w/.]+\]\([./]*/([\w/]+\.py)\)", text)


def code_words(text: str) -> set[str]:
    """Every word of two letters or more that is set in code font within a sentence."""
    spans = [part.content for part in _inline(text) if part.type == "code_inline"]
    return {word for span in spans for word in re.findall(r"[A-Za-z_]\w+", span)}


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings."""
    tokens = _tokens(text)
    headings = [
        following.content for token, following in pairwise(tokens) if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(text: str, heading: str) -> str:
    """What stands between a heading of the second level and the next one."""
    _, found, rest = text.partition(f"\n## {heading}\n")
    assert found, f"There is no section {heading!r}."
    return rest.partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row but the headings, without the marks of code font."""
    found = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [[cell.strip(" `") for cell in row.split(" | ")] for row in found]


def _inline(text: str) -> list[Token]:
    return [part for token in _tokens(text) for part in token.children or ()]


def _tokens(text: str) -> list[Token]:
    return _PARSER.parse(text)
