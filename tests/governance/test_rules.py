"""Every rule by mutation: one planted violation is caught, what only looks alike is not."""

from pathlib import Path

import pytest

from tests.governance.planting import REPOSITORY, Plant
from tools.governance.policy import Ban, CheckedRule, Example, Policy, Term, load_policy
from tools.governance.schema import read_schema
from tools.governance.tree import VOCABULARY_FILE, Tree
from tools.governance.verdict import SCHEMA_CHECKS, judge, judge_schema, judge_sources
from tools.governance.vocabulary import WordSearch

POLICY = load_policy(REPOSITORY / VOCABULARY_FILE)
CHECKED: tuple[CheckedRule, ...] = (*POLICY.bans, *POLICY.rules)
FORBIDDEN = {
    "websocket",
    "streaming",
    "gpu_schedule",
    "distributed",
    "gpu_worker",
    "sse",
    "real_time",
}


def examples(kind: str) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.id}-{number}")
        for rule in CHECKED
        for number, example in enumerate(getattr(rule, kind), start=1)
    ]


def alone(rule: CheckedRule) -> Policy:
    """A policy of this rule and nothing else."""
    bans, rules = ((rule,), ()) if isinstance(rule, Ban) else ((), (rule,))
    return Policy(terms=(), bans=bans, rules=rules, beyond_a_machine={})


def broken_rules(root: Path, policy: Policy, rule: CheckedRule) -> set[tuple[str, str]]:
    """The rule and the path of every violation; models are imported for the rules about them."""
    tree = Tree(root)
    violations = judge_sources(tree, policy)
    if rule.id in SCHEMA_CHECKS:
        violations |= judge_schema(tree, policy, read_schema(root))
    return {(violation.rule, violation.path) for violation in violations}


def test_this_repository_is_clean(policy: Policy) -> None:
    verdict = judge(REPOSITORY, policy)
    assert verdict.violations == ()
    assert verdict.files > 40


@pytest.mark.parametrize(("rule", "example"), examples("invalid"))
def test_a_violation_is_caught(plant: Plant, rule: CheckedRule, example: Example) -> None:
    with plant(example) as root:
        broken = broken_rules(root, alone(rule), rule)
    assert broken == {(rule.id, example.path)}


@pytest.mark.parametrize(("rule", "example"), examples("valid"))
def test_what_looks_alike_passes(
    policy: Policy, plant: Plant, rule: CheckedRule, example: Example
) -> None:
    with plant(example) as root:
        assert broken_rules(root, policy, rule) == set()


def test_every_rule_has_examples_enough(policy: Policy) -> None:
    assert {term.id for term in policy.terms} == FORBIDDEN
    assert all(len(term.invalid) >= 3 for term in policy.terms)
    assert sum(len(term.valid) for term in policy.terms) >= 40
    assert all(len(rule.invalid) >= 2 for rule in CHECKED)


@pytest.mark.parametrize("term", POLICY.terms, ids=lambda term: term.id)
def test_a_word_is_caught_in_every_spelling(policy: Policy, plant: Plant, term: Term) -> None:
    lines = "".join(f"# {word}\n" for word in term.invalid)
    example = Example("server/app/services/planted.py", lines, None)
    with plant(example) as root:
        violations = judge_sources(Tree(root), policy)
    caught = {violation.line for violation in violations if violation.rule == term.id}
    assert caught == set(range(1, len(term.invalid) + 1))
    assert {violation.path for violation in violations} == {example.path}


def test_words_that_look_alike_pass(policy: Policy, plant: Plant) -> None:
    words = [word for term in policy.terms for word in term.valid]
    with plant(Example("server/app/services/planted.txt", ";\n".join(words), None)) as root:
        assert judge_sources(Tree(root), policy) == set()


@pytest.mark.parametrize("term", POLICY.terms, ids=lambda term: term.id)
@pytest.mark.parametrize("style", ["{}", "{}_x", "x_{}", "X-{}-X", "{}2", "my {}."])
def test_the_plain_word_is_caught_in_any_surroundings(term: Term, style: str) -> None:
    search = WordSearch(term.spellings)
    numbered = "2" in style and term.id == "sse"
    assert bool(search.first(style.format(term.id))) is not numbered
    assert bool(search.first(style.format(term.id).upper())) is not numbered


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("server/app/planted.py", "value = 1  # in real time\n"),
        ("server/app/planted.py", "value = 'real-time'\n"),
        ("server/app/planted.py", '"""Answers in real\ntime."""\n'),
        ("server/app/planted.py", "# answers in real\n# time\n"),
        ("server/app/planted.py", "from app.core import real_time\n"),
        ("server/app/planted.py", "class RealTimeFeed:\n    pass\n"),
        ("server/app/planted.py", "def feed(realTime):\n    return realTime\n"),
        ("server/app/planted.py", "value = 'first\\nreal_time'\n"),
        ("server/app/planted.py", "value = 'real' 'time'\n"),
        ("server/app/planted.py", "value = '\\x72ealtime'\n"),
        ("server/app/planted.py", "value = b'\\x72ealtime'\n"),
        ("server/app/planted.py", "value = b'real' b'time'\n"),
        ("server/app/planted.py", "value = 'real' + '-' + 'time'\n"),
        ("server/app/planted.py", "ｒｅａｌｔｉｍｅ = 1\n"),
        ("server/app/real_time.py", "value = 1\n"),
        ("server/app/realtime/feed.py", "value = 1\n"),
        ("server/app/real/time.py", "value = 1\n"),
        ("server/app/settings.yaml", "mode: real-time\n"),
        ("server/app/.env", "REAL_TIME=1\n"),
        ("server/tools/planted.sh", "echo real-time\n"),
        ("server/app/build/planted.py", "real_time = 1\n"),
        ("server/app/data/planted.py", "real_time = 1\n"),
    ],
)
def test_a_word_is_caught_wherever_it_stands(
    policy: Policy, plant: Plant, path: str, text: str
) -> None:
    with plant(Example(path, text, None)) as root:
        found = judge_sources(Tree(root), policy)
    assert {(violation.rule, violation.path) for violation in found} == {("real_time", path)}


def test_a_word_that_the_source_shows_is_reported_once(policy: Policy, plant: Plant) -> None:
    text = "value = (\n    'answers\\n'\n    'in real time'\n)\n"
    with plant(Example("server/app/planted.py", text, None)) as root:
        found = judge_sources(Tree(root), policy)
    assert [violation.line for violation in found] == [3]


@pytest.mark.parametrize("path", ["pyproject.toml", "alembic.ini"])
def test_a_word_is_caught_in_configuration(policy: Policy, plant: Plant, path: str) -> None:
    first = (REPOSITORY / path).read_text().splitlines()[0]
    example = Example(path, f"# real-time\n{first}", first)
    with plant(example) as root:
        found = judge_sources(Tree(root), policy)
    assert {(v.rule, v.path, v.line) for v in found} == {("real_time", path, 1)}
