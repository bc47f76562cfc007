"""Where a video cuts from one shot to the next."""

from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from app.services.pipelines.quality import luma
from app.services.video.payload import FramePayload
from app.services.video.picture import Image

SIZE = (128, 72)
"""What is compared: of more pixels no cut is told better."""
COLOUR_CHANGE = 27
"""For the mean of the changes in hue, saturation and brightness: measure and threshold of the
content detector of PySceneDetect (https://www.scenedetect.com), which runs programs that it finds
when it is imported."""
BRIGHTNESS_CHANGE = 32
"""For luma alone: the fastest camera in footage without a cut came to 21, cuts to 50 and more."""
LEAST_COLOUR = 8
"""Pixels whose channels are closer than this have a hue and a saturation by chance."""


class ShotsPipeline:
    """Answers `{"shot": int, "begins": bool}`.

    shot: the number of the shot that the frame belongs to, from 0.
    begins: whether it is the first frame of that shot; the video's first frame is.

    A shot begins where a frame differs from the one before by COLOUR_CHANGE or BRIGHTNESS_CHANGE on
    the mean of all pixels, hue from 0 to 180, all else from 0 to 255; there is no look-ahead.
    """

    version = f"opencv-python-headless {version('opencv-python-headless')}"

    def __init__(self) -> None:
        self._colour: Image | None = None
        self._brightness: Image | None = None
        self._shot = -1

    def __call__(self, payload: FramePayload) -> dict[str, Any]:
        picture = payload.resized(*SIZE)
        hsv = cv2.cvtColor(_without_chance_colours(picture), cv2.COLOR_BGR2HSV)
        colour, brightness = np.asarray(hsv, np.uint8), luma(picture)
        begins = (
            _change(self._colour, colour) >= COLOUR_CHANGE
            or _change(self._brightness, brightness) >= BRIGHTNESS_CHANGE
        )
        self._colour, self._brightness = colour, brightness
        self._shot += begins
        return {"shot": self._shot, "begins": begins}


def _change(before: Image | None, now: Image) -> float:
    """The mean of all differences; of a first picture, more than any."""
    if before is None:
        return float("inf")
    return float(np.abs(now.astype(np.int16) - before).mean())


def _without_chance_colours(picture: Image) -> Image:
    brightest = picture.max(axis=2, keepdims=True)
    is_grey = brightest - picture.min(axis=2, keepdims=True) < LEAST_COLOUR
    return np.where(is_grey, brightest, picture)
