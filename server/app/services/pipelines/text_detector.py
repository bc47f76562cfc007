"""Where lines of text are in a picture: the detector of PP-OCRv6 tiny.

Importing this module loads OpenCV and ONNX Runtime.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import PipelineError
from app.services.pipelines.line_pictures import model_input, scaled
from app.services.pipelines.model_files import ModelFile
from app.services.pipelines.model_session import failing, session_of
from app.services.pipelines.reading_order import Corners
from app.services.video.picture import Image

MODEL = ModelFile(
    "ppocrv6_tiny_det.onnx", "193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8"
)
MOST_LINES = 1000
"""Of a picture with more, the surest are taken."""

LONGEST_SIDE = 736
"""To how many pixels the longer side of a picture is scaled down."""
MULTIPLE = 32
"""Of which both sides are then."""
LEAST_SIDE = 6
"""To less than that no side may be scaled down: no text would be left in it."""
LONG = 8
"""The most width for a height that is looked at; black is added above and below."""
LEAST_HEIGHT = 30
"""The same, of height."""

# Differentiable binarisation, as PP-OCR has it.
LEAST_LIKELY = 0.3
"""That a pixel belongs to a line."""
LEAST_SCORE = 0.5
"""The mean of that in a line."""
GROWTH = 1.6
"""Lines are found shrunk: by how much, for their area and perimeter."""
LEAST_SHRUNK = 3
LEAST_GROWN = 5
"""How wide and high a line is in the scaled picture at least."""
LEAST_LINE = 4
"""The same, in the picture."""

Map: TypeAlias = NDArray[np.float32]
"""Height x width: how likely each pixel belongs to a line."""


class Scaled(NamedTuple):
    """A picture as the model sees it, and what in it is `height` pixels high from `top` on."""

    picture: Image
    top: int
    height: int


class TextDetector:
    """Any number of threads may call it at a time.

    Raises:
        PipelineError: the model file is missing or was altered.
    """

    def __init__(self) -> None:
        self._session = session_of(MODEL)

    def find(self, picture: Image) -> list[Corners]:
        """The lines of text in a BGR picture, at most MOST_LINES, in no certain order.

        Their corners are whole numbers, within the picture.

        Raises:
            PipelineError: one side is too long for the other.
        """
        height, width, _ = picture.shape
        seen = _scaled(picture)
        with failing(f"PP-OCR cannot look for text in a frame of {width} x {height} pixels"):
            (maps,) = self._session.run(None, {"x": model_input(seen.picture)})
        scale = np.array([width / seen.picture.shape[1], height / seen.height], np.float32)
        found = []
        for score, shrunk in _lines(maps[0, 0]):
            corners = np.rint((shrunk - (0, seen.top)) * scale)
            corners = np.clip(corners, 0, (width - 1, height - 1)).astype(np.float32)
            if min(_sides(corners)) >= LEAST_LINE:
                found.append((score, corners))
        found.sort(key=lambda line: line[0], reverse=True)
        return [corners for _, corners in found[:MOST_LINES]]


def _scaled(picture: Image) -> Scaled:
    height, width, _ = picture.shape
    ratio = min(1.0, LONGEST_SIDE / max(height, width))
    if ratio < 1 and min(height, width) * ratio < LEAST_SIDE:
        raise PipelineError(
            f"A frame of {width} x {height} pixels is too long to look for text in it."
        )
    to_width, to_height = _multiple(width * ratio), _multiple(height * ratio)
    if height > LEAST_HEIGHT and width <= LONG * height:
        return Scaled(scaled(picture, to_width, to_height), 0, to_height)
    inner = max(1, round(height * ratio))
    outer = _multiple(2 * max(width * ratio / LONG, LEAST_HEIGHT))
    top = (outer - inner) // 2
    strip = scaled(picture, to_width, inner)
    padded = cv2.copyMakeBorder(strip, top, outer - inner - top, 0, 0, cv2.BORDER_CONSTANT)
    return Scaled(np.asarray(padded, np.uint8), top, inner)


def _multiple(length: float) -> int:
    return max(MULTIPLE, round(length / MULTIPLE) * MULTIPLE)


def _lines(likely: Map) -> Iterator[tuple[float, Corners]]:
    """How sure each line is, and its corners on the map."""
    ink = cv2.dilate((likely > LEAST_LIKELY).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < LEAST_SHRUNK:
            continue
        score = _mean_within(likely, cv2.boxPoints((centre, (width, height), angle)))
        # In whole pixels: noise is not to move borders, or a line is no longer known again.
        growth = 2 * round(GROWTH * width * height / (width + height) / 2)
        if score >= LEAST_SCORE and min(width, height) + growth >= LEAST_GROWN:
            yield (
                score,
                _clockwise(cv2.boxPoints((centre, (width + growth, height + growth), angle))),
            )


def _mean_within(likely: Map, corners: Any) -> float:
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = likely[top:bottom, left:right]
    mask = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(part, mask)[0])


def _clockwise(corners: Any) -> Corners:
    """From the top left of a line that rises or falls by less than half a right angle."""
    from_left = corners[corners[:, 0].argsort()]
    top_left, bottom_left = sorted(from_left[:2], key=lambda corner: corner[1])
    top_right, bottom_right = sorted(from_left[2:], key=lambda corner: corner[1])
    return np.stack([top_left, top_right, bottom_right, bottom_left]).astype(np.float32)


def _sides(corners: Corners) -> tuple[int, int]:
    top_left, top_right, _, bottom_left = corners
    return int(np.hypot(*(top_right - top_left))), int(np.hypot(*(bottom_left - top_left)))
