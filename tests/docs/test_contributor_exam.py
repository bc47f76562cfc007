"""Each question of the exam has an answer, and what proves the answer exists."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.markdown import PHASE, REPOSITORY, section

EXAM = (PHASE / "Contributor_Exam.md").read_text()
QUESTIONS = re.findall(r"^(\d+)\. ", section(EXAM, "Questions"), re.MULTILINE)
ANSWERS = re.split(r"^### Answer (\d+)\n", section(EXAM, "Answer key"), flags=re.MULTILINE)[1:]
PROOFS = re.compile(r"^- `([\w.]+)` in \[[\w/.]+\]\(\.\./\.\./\.\./([\w/.]+)\)$", re.MULTILINE)


def defined_in(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """The dotted names of the functions and classes of a module, methods included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from defined_in(node.body, f"{prefix}{node.name}.")


def test_there_are_twenty_questions_or_more() -> None:
    assert [int(number) for number in QUESTIONS] == [*range(1, len(QUESTIONS) + 1)]
    assert len(QUESTIONS) >= 20


def test_each_question_has_its_answer() -> None:
    assert ANSWERS[::2] == QUESTIONS


@pytest.mark.parametrize(("number", "answer"), [*zip(ANSWERS[::2], ANSWERS[1::2], strict=True)])
def test_what_proves_an_answer_exists(number: str, answer: str) -> None:
    listed = [line for line in answer.splitlines() if line.startswith("- ")]
    proofs = PROOFS.findall(answer)
    assert len(proofs) == len(listed) >= 1
    for name, path in proofs:
        assert name in {*defined_in(ast.parse((REPOSITORY / path).read_text()).body)}, path
