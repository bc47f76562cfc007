"""Forbidden words, found in every spelling and never inside other words."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from tools.governance.findings import Finding
from tools.governance.policy import Term
from tools.governance.tree import Module, Tree

# A word begins and ends where a reader sees it do so: at anything that is no letter, at the hump of
# camelCase, and between an acronym and the capitalised word after it.
BEGIN = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"
END = r"(?:(?![A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"

# Between two words of a spelling: nothing, a joining sign, or a space or line break, which may
# follow a hyphen and lead into a comment. Hyphens may be soft, and spaces of no width.
JOINT = r"(?:_+|[./]|[-\u00ad\u2010-\u2015\u2212]?[ \t\u200b]*(?:\n[ \t]*(?:#[ \t]*)?)?)"

ANY_WORD_BETWEEN = rf"(?:{JOINT}[A-Za-z0-9]+?)??{JOINT}"

WILDCARDS = {"": "", "*": "[A-Za-z0-9]*?", "#": "[0-9]*?"}


class WordSearch:
    """Finds all spellings of a term.

    A spelling is written as lower-case words with a space between them; it stands for their lower,
    capitalised and upper case and for every way to join them. At the end of a word `*` stands for
    any letters and digits, and `#` for any digits; `*` before the first word for any beginning;
    `*` between two words for none or any one.
    """

    def __init__(self, spellings: Iterable[str]) -> None:
        self._expression = re.compile("|".join(map(_expression, spellings)))
        self._words = [re.sub("[*#]", "", spelling).split() for spelling in spellings]

    def __call__(self, text: str) -> Iterator[re.Match[str]]:
        # Most texts lack a word of every spelling, which is far quicker to see than no match.
        lowered = text.lower()
        if any(all(word in lowered for word in words) for words in self._words):
            yield from self._expression.finditer(text)

    def first(self, text: str) -> re.Match[str] | None:
        return next(self(text), None)


def _expression(spelling: str) -> str:
    begin = "" if spelling.startswith("*") else BEGIN
    end = "" if spelling.endswith("*") else END
    parts = (JOINT.join(map(_word, part.split())) for part in spelling.strip("*").split(" * "))
    return f"{begin}{ANY_WORD_BETWEEN.join(parts)}{end}"


def _word(word: str) -> str:
    """A word in the three cases that are in use, and the wildcard that may end it."""
    letters = word.rstrip("*#")
    cases = "|".join((letters, letters.capitalize(), letters.upper()))
    return f"(?:{cases}){WILDCARDS[word[len(letters) :]]}"


def find_terms(tree: Tree, term: Term) -> Iterator[Finding]:
    """The term in the text and in the names of all functional files."""
    search = WordSearch(term.spellings)
    for path in tree.functional:
        if match := search.first(path):
            yield Finding(path, 1, f"the path spells {_shown(match)}")
        for passage in tree.passages(path):
            text = _as_python_reads(passage.text)
            for match in search(text):
                line = text.count("\n", 0, match.start()) + 1
                yield Finding(path, line, f"{_shown(match)}{passage.note}")
    for module in tree.modules(tree.functional):
        yield from _in_assembled_strings(module, search)


def _as_python_reads(text: str) -> str:
    """Letters of other widths and styles are the plain ones to Python, as in identifiers."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _in_assembled_strings(module: Module, search: WordSearch) -> Iterator[Finding]:
    """Words that appear only when Python reads the literals."""
    for node, value in module.assembled_strings:
        if match := search.first(_as_python_reads(value)):
            source = "\n".join(module.text.split("\n")[node.lineno - 1 : node.end_lineno])
            if not search.first(_as_python_reads(source)):
                yield Finding(module.path, node.lineno, f"{_shown(match)}{module.note}")


def _shown(match: re.Match[str]) -> str:
    return f'"{" ".join(match.group().split())}"'
