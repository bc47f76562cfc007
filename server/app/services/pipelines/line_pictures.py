"""Pictures of lines of text: cut out, and scaled.

Importing this module loads OpenCV.
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from app.services.pipelines.reading_order import Corners
from app.services.video.picture import Image

ModelInput: TypeAlias = NDArray[np.float32]
"""1 x 3 x height x width; blue, green and red from -1 to 1."""

# Frames are shared out among threads already.
cv2.setNumThreads(1)


def cut_out(picture: Image, corners: Corners) -> Image:
    """What is between four corners, straightened to a rectangle."""
    top_left, top_right, bottom_right, bottom_left = corners
    width = _longer(top_right - top_left, bottom_right - bottom_left)
    height = _longer(bottom_left - top_left, bottom_right - top_right)
    rectangle = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    if np.array_equal(corners - top_left, rectangle):  # what is below, in less time
        x, y = top_left.astype(int)
        return np.ascontiguousarray(picture[y : y + height, x : x + width])
    matrix = cv2.getPerspectiveTransform(corners, rectangle)
    straight: Any = cv2.warpPerspective(
        picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(straight, np.uint8)


def scaled(picture: Image, width: int, height: int) -> Image:
    """The picture at another size, so that small text stays legible."""
    size = picture.shape[1], picture.shape[0]
    if size == (width, height):
        return picture
    if height > size[1]:
        by = cv2.INTER_CUBIC
    elif 2 * height >= size[1]:
        by = cv2.INTER_LINEAR
    else:  # of which linear interpolation would leave pixels out
        by = cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (width, height), interpolation=by), np.uint8)


def model_input(picture: Image) -> ModelInput:
    """As PP-OCR's models take a BGR picture."""
    planes = picture.transpose(2, 0, 1)[np.newaxis]
    image = np.multiply(planes, np.float32(2 / 255), dtype=np.float32, order="C")
    image -= np.float32(1)
    return image


def _longer(one: Corners, other: Corners) -> int:
    return max(1, int(np.hypot(*one)), int(np.hypot(*other)))
