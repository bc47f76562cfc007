"""The order in which lines of text are read."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Corners: TypeAlias = NDArray[np.float32]
"""4 x 2: x and y of a line's corners, clockwise from its top left."""


def reading_order(lines: list[Corners]) -> list[int]:
    """The indices of lines: row by row from the top, and in a row from left to right.

    Two lines are in one row where they overlap by half of the lower one's height. Of text that is
    tilted, top and left are those of the tilted page: the median slope of its long lines.
    """
    if not lines:
        return []
    upright = _straightened(np.stack(lines))
    top, bottom = upright[:, :2, 1].mean(axis=1), upright[:, 2:, 1].mean(axis=1)
    left = upright[:, :, 0].min(axis=1)
    rows: list[list[int]] = []
    for n in np.argsort(top + bottom, kind="stable").tolist():
        first = rows[-1][0] if rows else n
        overlap = min(bottom[n], bottom[first]) - max(top[n], top[first])
        if rows and 2 * overlap >= min(bottom[n] - top[n], bottom[first] - top[first]):
            rows[-1].append(n)
        else:
            rows.append([n])
    return [n for row in rows for n in sorted(row, key=lambda n: float(left[n]))]


def _straightened(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    along = lines[:, 1] - lines[:, 0]
    down = lines[:, 3] - lines[:, 0]
    long = np.hypot(*along.T) > 2 * np.hypot(*down.T)
    slope = np.median(np.arctan2(along[long, 1], along[long, 0])) if long.any() else 0.0
    cos, sin = np.cos(slope), np.sin(slope)
    turned: NDArray[np.float32] = lines @ np.array([[cos, -sin], [sin, cos]], np.float32)
    return turned
