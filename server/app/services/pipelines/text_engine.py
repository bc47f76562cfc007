"""Finding lines of text in a picture, and reading one of them: PP-OCRv6 tiny, through RapidOCR.

Importing this module loads OpenCV and ONNX Runtime.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from app.core.errors import PipelineError
from app.services.pipelines.known_lines import Crop, Line
from app.services.pipelines.model_files import ModelFile
from app.services.pipelines.reading_order import Corners

_has_ipv6, socket.has_ipv6 = socket.has_ipv6, False
try:  # urllib3, which it loads, would try ::1 with a socket
    from rapidocr import RapidOCR
finally:
    socket.has_ipv6 = _has_ipv6

DETECTOR = ModelFile(
    "ppocrv6_tiny_det.onnx", "193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8"
)
RECOGNISER = ModelFile(
    "ppocrv6_tiny_rec.onnx", "9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6"
)
CHARACTERS = ModelFile(
    "ppocrv6_tiny_dict.txt", "2af150bab777d86fa1ce821f6a37eabea90f1bb99ab9c41f031262e892a747bc"
)

LONGEST_SIDE = 736
"""To how many pixels the longer side of a picture is scaled down for finding text."""
LINE_HEIGHT = 48
"""How high a line is when it is read."""
TALL = 1.5
"""From which height for its width on a line may run downwards; it may be a single digit, too."""

_COMMON: dict[str, Any] = {
    "Global.log_level": "critical",  # or every picture without text is a warning
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}

# Frames are shared out among threads already.
cv2.setNumThreads(1)


class TextEngine:
    """For one thread. Which steps it takes is a lasting state of a RapidOCR: hence two of them.

    Raises:
        PipelineError: a model file is missing or was altered.
    """

    def __init__(self) -> None:
        self._detector = RapidOCR(
            params={
                **_COMMON,
                "Global.use_rec": False,
                "Global.min_side_len": 1,  # small pictures are not scaled up
                "Det.model_path": str(DETECTOR.checked()),
                "Det.limit_type": "max",
                "Det.limit_side_len": LONGEST_SIDE,
            }
        )
        self._recogniser = RapidOCR(
            params={
                **_COMMON,
                "Global.use_det": False,
                "Global.use_preprocess_img": False,  # lines are scaled by their height alone
                "Rec.model_path": str(RECOGNISER.checked()),
                "Rec.rec_keys_path": str(CHARACTERS.checked()),
            }
        )

    def find(self, picture: Crop) -> list[Corners]:
        """The lines of text in a BGR picture, at most a thousand, in no certain order.

        Their corners are whole numbers, within the picture.
        """
        height, width, _ = picture.shape
        with _failing(f"look for text in a frame of {width} x {height} pixels"):
            found = getattr(self._detector(picture), "boxes", None)
        if found is None:
            return []
        return [*np.clip(np.rint(found), 0, (width - 1, height - 1)).astype(np.float32)]

    def read(self, crop: Crop) -> Line:
        """Read one line that fills the crop."""
        line = self._recognise(crop)
        height, width, _ = crop.shape
        if height < TALL * width:
            return line
        turned = self._recognise(np.ascontiguousarray(np.rot90(crop)))
        return max(line, turned, key=lambda line: line[1])

    def _recognise(self, crop: Crop) -> Line:
        height, width, _ = crop.shape
        with _failing(f"read a line of {width} x {height} pixels"):
            found = self._recogniser(_enlarged(crop))
        texts, scores = getattr(found, "txts", None), getattr(found, "scores", None)
        return (texts[0].strip(), float(scores[0])) if texts and scores else ("", 0.0)


def cut_out(picture: Crop, corners: Corners) -> Crop:
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


def _enlarged(crop: Crop) -> Crop:
    """Low lines by cubic interpolation: RapidOCR's linear one leaves fewer of them legible."""
    height, width, _ = crop.shape
    if height >= LINE_HEIGHT:
        return crop
    size = (max(1, round(width * LINE_HEIGHT / height)), LINE_HEIGHT)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _longer(one: Corners, other: Corners) -> int:
    return max(1, int(np.hypot(*one)), int(np.hypot(*other)))


@contextmanager
def _failing(to_do: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime's, in RapidOCR's words, have a traceback in them
        raise PipelineError(f"PP-OCR cannot {to_do} ({type(error).__name__}).") from error
