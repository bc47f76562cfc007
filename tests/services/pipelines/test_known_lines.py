from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import numpy as np
import pytest

from app.services.pipelines.known_lines import Crop, KnownLines, Line

CROPS = [np.full((4, 8 + n, 3), n, np.uint8) for n in range(4)]


class Reader:
    def __init__(self) -> None:
        self.read: list[int] = []

    def __call__(self, crop: Crop) -> Line:
        self.read.append(int(crop[0, 0, 0]))
        return str(self.read[-1]), 0.5


def test_each_line_is_read_once_whatever_its_shape() -> None:
    known, reader = KnownLines(), Reader()
    crops = [CROPS[1], CROPS[2], CROPS[1].copy(), np.full((8, 4, 3), 1, np.uint8)]
    crops.append(np.full((4, 8, 3), 1, np.uint8))  # the same bytes

    lines = known.read(crops, reader)

    assert [text for text, _ in lines] == ["1", "2", "1", "1", "1"]
    assert reader.read == [1, 2, 1, 1]


def test_the_oldest_line_is_forgotten_first_and_all_when_told() -> None:
    known, reader = KnownLines(most=2), Reader()
    for n in (0, 1, 0, 2, 0, 1):
        known.read([CROPS[n]], reader)
    assert reader.read == [0, 1, 2, 1]
    known.clear()
    known.read([CROPS[1]], reader)
    assert reader.read == [0, 1, 2, 1, 1]


def test_two_threads_share_the_lines_of_a_page() -> None:
    """Each goes on with the next line while the other reads one."""
    known, reader, both = KnownLines(), Reader(), Barrier(2, timeout=30)

    def together(crop: Crop) -> Line:
        both.wait()  # nothing is read before the other thread reads, too
        return reader(crop)

    with ThreadPoolExecutor(2) as threads:
        pages = [threads.submit(known.read, CROPS, together) for _ in range(2)]
        answers = [page.result(60) for page in pages]

    assert answers[0] == answers[1]
    assert sorted(reader.read) == [0, 1, 2, 3]


def test_what_reading_raises_is_raised_for_all_who_wait() -> None:
    known, begun, told = KnownLines(), Event(), Event()

    def fail(crop: Crop) -> Line:
        begun.set()
        assert told.wait(30)
        raise ValueError("illegible")

    def second() -> Iterator[Crop]:
        begun.wait(30)
        yield CROPS[0]
        told.set()

    with ThreadPoolExecutor(2) as threads:
        pages = [threads.submit(known.read, crops, fail) for crops in ([CROPS[0]], second())]
        for page in pages:
            with pytest.raises(ValueError, match="illegible"):
                page.result(60)
