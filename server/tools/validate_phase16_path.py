"""Judge whether a tree keeps to the scope of the video jobs, as the file of rules beside it says.

Exit code 0: no rule is broken. 1: at least one is. 2: the tree could not be judged.
"""

import argparse
import ast
import json
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

try:
    import yaml
    from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
except ModuleNotFoundError as missing:
    # Python itself would exit with 1, which stands for a broken rule.
    print(f"Could not judge: {missing}; `make governance` installs it.", file=sys.stderr)
    raise SystemExit(2) from missing

THIS_TREE = Path(__file__).resolve().parents[2]
RULES = Path(__file__).with_name("forbidden_vocabulary_phase16.yaml")
VOCABULARY = f"server/tools/{RULES.name}"
WORKFLOW = ".github/workflows/phase16_validation.yml"
FUNCTIONAL = ("server/*", "alembic.ini", "pyproject.toml")
PYTHON = (".py", ".pyi", ".pyw", ".ipynb")

# Left behind by tools. What Git tracks is no criterion: an exported tree has no Git.
LEFTOVERS_AT_THE_ROOT = {"build", "data", "dist"}
LEFTOVERS = re.compile(
    r"\.git|\.venv|\.tox|\.nox|__pycache__|\.hypothesis|\.\w+_cache|\.ipynb_checkpoints"
    r"|node_modules|htmlcov|.*\.egg-info"
)

MODEL = ".onnx"  # binary, though the first zero byte may come late
PICTURE = re.compile(r'"image/[^"]+": "[^"]*"')  # in a notebook: letters without a meaning


class CannotJudge(Exception):
    """The tree or the rules cannot be read, so neither a pass nor a failure would be true."""


Text = Annotated[str, Field(min_length=1)]
Pattern = Annotated[
    re.Pattern[str], AfterValidator(lambda pattern: re.compile(pattern.pattern, re.MULTILINE))
]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Strict):
    id: Annotated[str, Field(pattern=r"^[a-z]+([-_][a-z]+)*$")]
    governs: tuple[Annotated[str, Field(pattern=r"^G\d+$")], ...] = ()
    reason: Text


class Term(Rule):
    spellings: Annotated[tuple[Text, ...], Field(min_length=1)]


class Ban(Rule):
    under: Annotated[tuple[Text, ...], Field(min_length=1)] = ("*",)
    apart_from: tuple[Text, ...] = ()
    modules: tuple[Text, ...] = ()
    distributions: tuple[Text, ...] = ()
    files: tuple[Text, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    demands: tuple[Pattern, ...] = ()

    def applies_to(self, path: str) -> bool:
        return _fits(path, self.under) and not _fits(path, self.apart_from)


class Rules(Strict):
    """What the file of rules holds; its head explains the keys."""

    terms: Annotated[tuple[Term, ...], Field(min_length=1)]
    bans: Annotated[tuple[Ban, ...], Field(min_length=1)]
    elsewhere: Mapping[str, Text]


def load_rules(path: Path) -> Rules:
    """Raises CannotJudge when the file cannot be read, or has an unknown key or none of its own."""
    try:
        return Rules.model_validate(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        raise CannotJudge(f"{path.name} cannot be used: {_cause(error)}") from error


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


@dataclass(frozen=True, order=True)
class Violation:
    """`path` is relative to the root, `line` counts from 1."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


def read_tree(root: Path) -> dict[str, str]:
    """The text of every file beneath `root` but leftovers, by its path; of binary files, none."""
    files = {path: _text(root / path, path) for path in sorted(_walk(root))}
    for needed in FUNCTIONAL:
        if not any(_fits(path, [needed]) for path in files):
            raise CannotJudge(f"There is no {needed} to judge: is this the project's root?")
    return files


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        at_root = LEFTOVERS_AT_THE_ROOT if here == root else frozenset()
        folders[:] = [
            name
            for name in folders
            if not (
                name in at_root
                or LEFTOVERS.fullmatch(name)
                or (here / name / "pyvenv.cfg").exists()
            )
        ]
        yield from ((here / name).relative_to(root).as_posix() for name in names)


def _text(file: Path, path: str) -> str:
    try:
        content = file.read_bytes()
        is_binary = path.endswith(MODEL) or b"\0" in content[:8192]
        text = "" if is_binary else content.decode("utf-8-sig")
        return PICTURE.sub("", text) if path.endswith(".ipynb") else text
    except (OSError, UnicodeDecodeError) as error:
        raise CannotJudge(f"{path} cannot be read as text: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """The reason alone: an OSError's full text names absolute paths."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def judge(root: Path) -> tuple[int, list[Violation]]:
    """The number of functional files, and what is wrong in the tree by the rules beside this file.

    Raises:
        CannotJudge: the tree or its rules cannot be read.
    """
    rules = load_rules(RULES)
    files = read_tree(root)
    files.pop(VOCABULARY, None)  # it must hold what it forbids
    ruff = start_ruff(root, rules.bans, [path for path in files if path.endswith(PYTHON)])
    functional = {path: text for path, text in files.items() if _fits(path, FUNCTIONAL)}
    found = {
        *(violation for term in rules.terms for violation in spelled(term, functional)),
        *(violation for ban in rules.bans for violation in banned(ban, files)),
        *softened(files.get(WORKFLOW)),
        *used(root, rules.bans, ruff),
    }
    return len(functional), sorted(found)


def _violation(path: str, text: str, at: int, rule: Rule, what: str) -> Violation:
    reason = " ".join(rule.reason.split())
    return Violation(path, text.count("\n", 0, at) + 1, rule.id, f"{what}: {reason}")


# A word begins and ends where a reader sees it do so: at anything that is no letter, at the hump of
# camelCase, between an acronym and the capitalised word after it, and after an escaped line break.
BEGIN = r"(?:(?<![A-Za-z])|(?<=\\[nrt])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"
END = r"(?:(?![A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"

# Between two words of a spelling: nothing, a joining sign, or a space or line break, which may
# follow a hyphen and lead into a comment, the next part of a string or the next line of a notebook.
BREAK = r"\n[^\S\n]*(?:#[^\S\n]*)?|[\"'][^\S\n]*\n?[^\S\n]*[rbf]{0,2}[\"']|\\n\",\s*\""
JOINT = rf"(?:_+|[./]|[-\u00ad\u2010-\u2015\u2212]?(?:[^\S\n]|\u200b)*(?:{BREAK})?)"

ANY_WORD_BETWEEN = rf"(?:{JOINT}[A-Za-z0-9]+?)??{JOINT}"
WILDCARDS = {"": "", "*": "[A-Za-z0-9]*?", "#": "[0-9]*?"}


def spelled(term: Term, files: Mapping[str, str]) -> Iterator[Violation]:
    """The term in the names and the texts of files."""
    expression = expression_of(term)
    words = [re.sub("[*#]", "", spelling).split() for spelling in term.spellings]
    for path, text in files.items():
        for match in expression.finditer(path):
            yield _violation(path, "", 0, term, f"the path spells {_shown(match)}")
        # Most texts lack a word of every spelling, which is far quicker to see than no match.
        lowered = text.lower()
        if any(all(word in lowered for word in spelling) for spelling in words):
            for match in expression.finditer(text):
                yield _violation(path, text, match.start(), term, _shown(match))


def expression_of(term: Term) -> re.Pattern[str]:
    """What all spellings of a term match, and no word that only contains its letters."""
    return re.compile("|".join(map(_expression, term.spellings)))


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


def _shown(match: re.Match[str]) -> str:
    return f'"{" ".join(match.group().split())}"'


# What ruff does not see.
IMPORT = re.compile(r"\b(?:import_module|__import__)\(\s*(?:name=)?[\"']([\w.]+)")


def banned(ban: Ban, files: Mapping[str, str]) -> Iterator[Violation]:
    """The file names and texts that a ban speaks of, and the texts that it demands and misses."""
    for path, text in files.items():
        if ban.applies_to(path):
            if any(_fits(part, ban.files) for part in (path.lower(), *path.lower().split("/"))):
                yield _violation(path, "", 0, ban, "the name of the file")
            for match in _matches(ban, text):
                if not (path.endswith(".py") and _is_prose(text, match.start())):
                    yield _violation(path, text, match.start(), ban, _shown(match))
    for path in ban.under if ban.demands else ():
        for pattern in ban.demands:
            if not pattern.search(files.get(path, "")):
                yield _violation(path, "", 0, ban, f"nothing matches {pattern.pattern}")


def _matches(ban: Ban, text: str) -> Iterator[re.Match[str]]:
    for pattern in ban.patterns:
        yield from pattern.finditer(text)
    modules = tuple(f"{name}." for name in ban.modules)
    yield from (match for match in IMPORT.finditer(text) if f"{match[1]}.".startswith(modules))


def _is_prose(source: str, at: int) -> bool:
    """Whether a place in Python lies in a comment or a docstring."""
    if "#" in source[source.rfind("\n", 0, at) + 1 : at]:
        return True
    line = source.count("\n", 0, at) + 1
    try:
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Expr(value=ast.Constant(value=str())):
                    if node.lineno <= line <= (node.end_lineno or 0):
                        return True
    except SyntaxError:
        pass  # which ruff reports
    return False


def start_ruff(root: Path, bans: Iterable[Ban], paths: list[str]) -> subprocess.Popen[str]:
    """Let ruff look for the modules of all bans, configured by nothing else, in every file."""
    modules = ", ".join(f'"{name}".msg="{ban.id}"' for ban in bans for name in ban.modules)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--ignore-noqa"),
            *("--select=TID251", "--target-version=py313", "--output-format=json"),
            *("--config", f"lint.flake8-tidy-imports.banned-api = {{{modules}}}"),
            *("--", *paths),
        ],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def used(root: Path, bans: Iterable[Ban], ruff: subprocess.Popen[str]) -> Iterator[Violation]:
    """What ruff has found, where the ban of it applies."""
    by_id = {ban.id: ban for ban in bans}
    answer, complaint = ruff.communicate()
    if ruff.returncode not in (0, 1):
        raise CannotJudge(f"ruff failed: {complaint.strip()}")
    for found in json.loads(answer):
        path = Path(found["filename"]).relative_to(root).as_posix()
        line = found["location"]["row"]
        if found["code"] != "TID251":
            raise CannotJudge(f"{path}:{line} cannot be parsed: {found['message']}")
        name, _, rule = found["message"].partition(" is banned: ")
        ban = by_id[rule]
        if ban.applies_to(path):
            yield Violation(path, line, rule, f"{name} is used: {' '.join(ban.reason.split())}")


NEEDED = {"governance", "test", "smoke"}
USUAL_TYPES = {"opened", "synchronize", "reopened"}
HARMLESS = re.compile(r"-j\d*|-k|-s|--silent|--no-print-directory|[A-Z]\w*=\S*")
SOFT = re.compile(r"\|\|\s*(true|:|echo|exit 0)|;\s*(true|:|exit 0)\s*$|\bset \+e\b", re.MULTILINE)
ALWAYS = {None, "always()", "success()", "!cancelled()", "${{ always() }}", "${{ !cancelled() }}"}


def softened(text: str | None) -> Iterator[Violation]:
    """What keeps the workflow from running every check on every pull request, or lets one fail."""
    for what in _softenings(yaml.safe_load(text) if text else None):
        yield Violation(WORKFLOW, 1, "workflow", f"{what}: every pull request passes every check.")


def _softenings(workflow: Any) -> Iterator[str]:
    if not isinstance(workflow, dict):
        yield "there is no workflow"
        return
    yield from _filters(workflow.get("on", workflow.get(True)))  # YAML 1.1 reads `on` as a truth
    jobs = workflow.get("jobs", {}).values()
    for job in jobs:
        for part in (job, *job.get("steps", ())):
            if part.get("continue-on-error"):
                yield "continue-on-error"
        if job.get("if") not in ALWAYS:
            yield f"if: {job['if']}"
    run: set[str] = set()
    for step in (step for job in jobs for step in job.get("steps", ())):
        if match := SOFT.search(step.get("run", "")):
            yield match.group()
        run |= _targets(step)
    for target in sorted(NEEDED - run):
        yield f"no step that can fail is make {target}"


def _filters(events: Any) -> Iterator[str]:
    named = events if isinstance(events, dict) else dict.fromkeys(_listed(events))
    if "pull_request" not in named:
        yield "not run on pull_request"
    for key, value in (named.get("pull_request") or {}).items():
        if key != "types" or not {*_listed(value)} >= USUAL_TYPES:
            yield f"a filter on pull_request, {key}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _targets(step: Mapping[str, Any]) -> set[str]:
    """What a step lets make do in commands of their own, in a shell that ends at a failure."""
    shell = step.get("shell", "bash")
    if step.get("if") not in ALWAYS or ("{0}" in shell and "-e" not in shell):
        return set()
    found: set[str] = set()
    for line in step.get("run", "").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            given = [word for word in words[1:] if not HARMLESS.fullmatch(word)]
            found |= set(given) if all(map(str.isalpha, given)) else set()
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--root", type=Path, default=THIS_TREE, help="the tree to judge (default: this one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    try:
        files, violations = judge(options.root.resolve())
    except Exception as error:
        if not isinstance(error, CannotJudge):
            traceback.print_exc()
        if options.json:
            print(json.dumps({"error": str(error)}))
        else:
            print(f"Could not judge: {error}", file=sys.stderr)
        return 2
    if options.json:
        found = [asdict(violation) for violation in violations]
        print(json.dumps({"files": files, "violations": found}, indent=2))
    else:
        summary = f"{files} functional files scanned, {len(violations)} violations."
        print(*violations, summary, sep="\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
