"""Where a video cuts from one shot to the next, found with PySceneDetect."""

from typing import Any

import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from app.services.pipelines.quality import luma
from app.services.video.payload import FramePayload
from app.services.video.picture import Image

SIZE = (128, 72)
"""What is compared: of more pixels no cut is told better."""
FRAMES_A_SECOND = 25.0
"""PySceneDetect wants a rate; nothing depends on it as long as shots may be of any length."""
COLOUR_CHANGE = 27
"""PySceneDetect's own threshold for the mean of the changes in hue, saturation and brightness."""
BRIGHTNESS_CHANGE = 32
"""For luma alone: the fastest camera in footage without a cut came to 21, cuts to 50 and more."""
LEAST_COLOUR = 8
"""Pixels whose channels are closer than this have a hue and a saturation by chance."""


class ShotsPipeline:
    """Answers `{"shot": int, "begins": bool}`.

    shot: the number of the shot that the frame belongs to, from 0.
    begins: whether it is the first frame of that shot; the video's first frame is.

    A shot begins where a frame differs from the one before by COLOUR_CHANGE or BRIGHTNESS_CHANGE on
    the mean of all pixels, hue on a scale of 0 to 180, all else of 0 to 255: by content detectors
    without look-ahead, so that the frame itself tells.
    """

    def __init__(self) -> None:
        self._colour = ContentDetector(threshold=COLOUR_CHANGE, min_scene_len=0)
        self._brightness = ContentDetector(
            threshold=BRIGHTNESS_CHANGE, min_scene_len=0, luma_only=True
        )
        self._shot = -1

    def __call__(self, payload: FramePayload) -> dict[str, Any]:
        time = FrameTimecode(payload["frame_index"], FRAMES_A_SECOND)
        picture = payload.resized(*SIZE)
        cuts = [
            *self._colour.process_frame(time, _without_chance_colours(picture)),
            *self._brightness.process_frame(time, np.dstack([luma(picture)] * 3)),
        ]
        begins = bool(cuts) or self._shot < 0
        self._shot += begins
        return {"shot": self._shot, "begins": begins}


def _without_chance_colours(picture: Image) -> Image:
    brightest = picture.max(axis=2, keepdims=True)
    is_grey = brightest - picture.min(axis=2, keepdims=True) < LEAST_COLOUR
    return np.where(is_grey, brightest, picture)
