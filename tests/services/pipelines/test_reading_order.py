import numpy as np
import pytest

from app.services.pipelines.reading_order import Corners, reading_order

Box = tuple[float, float, float, float]


def corners(box: Box, degrees: float = 0) -> Corners:
    """Of x, y, width, height, turned clockwise around (0, 0)."""
    x, y, width, height = box
    upright = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    angle = np.radians(degrees)
    turn = [(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))]
    return np.array(upright, np.float32) @ np.array(turn, np.float32)


PAGES: dict[str, list[Box]] = {  # in the order in which they are read
    "nothing": [],
    "a paragraph": [(10, 10, 300, 20), (10, 35, 280, 20), (10, 60, 300, 20)],
    "rows of cells": [(10, 10, 50, 20), (100, 14, 60, 20), (200, 8, 9, 20), (12, 40, 50, 20)],
    "a digit before two lines": [(10, 10, 40, 60), (60, 10, 200, 25), (60, 45, 200, 25)],
    "small print at the foot of a headline": [(10, 10, 300, 60), (320, 55, 80, 14)],
    "lines that nearly touch": [(10, 10, 300, 22), (5, 28, 300, 22), (0, 46, 300, 22)],
}


@pytest.mark.parametrize("degrees", [-20, -4, 0, 11, 20])
@pytest.mark.parametrize("name", PAGES)
def test_rows_from_the_top_and_in_each_from_the_left(name: str, degrees: float) -> None:
    expected = [corners(box, degrees) for box in PAGES[name]]
    shuffled = [*range(len(expected))]
    np.random.default_rng(1).shuffle(shuffled)

    order = reading_order([expected[n] for n in shuffled])

    assert [shuffled[n] for n in order] == [*range(len(expected))]
