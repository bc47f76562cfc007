from pathlib import Path

import pytest

from app.services.answer_file import AnswerFile, new_answers

DIGESTS = [bytes([n]) * 16 for n in range(1, 5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def written(path: Path, fingerprint: str | None = "v1", count: int = 3) -> list[int]:
    with AnswerFile(path, fingerprint) as answers:
        return [answers.append(b'{"n":%d}' % n, DIGESTS[n]) for n in range(count)]


def found(path: Path, fingerprint: str | None = "v1") -> list[int]:
    with AnswerFile(path, fingerprint) as answers:
        places = [answers.find(digest) for digest in DIGESTS]
        for n, place in enumerate(places):
            if place is not None:
                assert answers.read(place) == b'{"n":%d}' % n
        return [n for n, place in enumerate(places) if place is not None]


def test_answers_are_read_where_they_were_put_and_found_by_the_next_start(path: Path) -> None:
    with AnswerFile(path, "v1") as answers:
        places = [answers.append(b"x" * n, DIGESTS[n]) for n in (0, 3)]
        assert [answers.read(place) for place in places] == [b"", b"xxx"]
        assert answers.find(DIGESTS[3]) == places[1]
    with AnswerFile(path, "v1") as answers:
        assert [answers.find(digest) for digest in DIGESTS] == [places[0], None, None, places[1]]


def test_a_file_of_something_else_is_emptied(path: Path) -> None:
    for foreign in (b"", b"torn", b"\0" * 1000, b'{"results":[]}' * 100):
        path.write_bytes(foreign)
        assert found(path) == []
    written(path)
    assert found(path, "v2") == []
    assert found(path, "v1") == []


def test_without_a_fingerprint_nothing_is_found_and_nothing_stays(path: Path) -> None:
    written(path)
    with AnswerFile(path, None) as answers:
        assert answers.find(DIGESTS[0]) is None
        assert answers.read(answers.append(b"{}")) == b"{}"
    assert not path.exists()


def test_whatever_is_cut_off_the_whole_entries_before_it_are_found(path: Path) -> None:
    places = written(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        expected = [n for n, end in enumerate([*places[1:], len(whole)]) if end <= length]
        assert found(path) == expected, length
        with AnswerFile(path, "v1") as answers:  # what comes behind is whole
            answers.append(b'{"n":3}', DIGESTS[3])
        assert found(path) == [*expected, 3], length


def test_whatever_byte_is_changed_its_entry_alone_is_lost(path: Path) -> None:
    places = written(path)
    whole = path.read_bytes()
    for at in range(places[0], len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        (changed,) = [n for n, start in enumerate(places) if start <= at][-1:]
        kept = found(path)
        assert changed not in kept, at
        assert set(range(changed)) <= set(kept), at


def test_how_many_answers_the_last_start_has_added(path: Path) -> None:
    assert new_answers(path) == 0
    written(path, count=3)
    assert new_answers(path) == 3
    found(path)
    assert new_answers(path) == 0
    with AnswerFile(path, "v1") as answers:
        answers.append(b"{}", DIGESTS[3])
    assert new_answers(path) == 1
