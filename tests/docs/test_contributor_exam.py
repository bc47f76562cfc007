"""Each question of the exam has an answer, and each answer cites what proves it."""

import re

import pytest

from tests.docs.markdown import PHASE, citations, section

EXAM = (PHASE / "Contributor_Exam.md").read_text()
QUESTIONS = re.findall(r"^(\d+)\. ", section(EXAM, "Questions"), re.MULTILINE)
ANSWERS = re.split(r"^### Answer (\d+)\n", section(EXAM, "Answer key"), flags=re.MULTILINE)[1:]


def test_there_are_twenty_questions_or_more() -> None:
    assert [int(number) for number in QUESTIONS] == [*range(1, len(QUESTIONS) + 1)]
    assert len(QUESTIONS) >= 20


def test_each_question_has_its_answer() -> None:
    assert ANSWERS[::2] == QUESTIONS


@pytest.mark.parametrize(("number", "answer"), [*zip(ANSWERS[::2], ANSWERS[1::2], strict=True)])
def test_each_answer_cites_what_proves_it(number: str, answer: str) -> None:
    listed = [line for line in answer.splitlines() if line.startswith("- ")]
    assert len(citations(answer)) == len(listed) >= 1
