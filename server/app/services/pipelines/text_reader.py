"""What is written in a line of text: the recogniser of PP-OCRv6 tiny.

Importing this module loads OpenCV and ONNX Runtime.
"""

from functools import cache
from math import ceil

import numpy as np

from app.services.pipelines.known_lines import Crop, Line
from app.services.pipelines.line_pictures import ModelInput, model_input, scaled
from app.services.pipelines.model_files import ModelFile
from app.services.pipelines.model_session import failing, session_of

MODEL = ModelFile(
    "ppocrv6_tiny_rec.onnx", "9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6"
)
CHARACTERS = ModelFile(
    "ppocrv6_tiny_dict.txt", "2af150bab777d86fa1ce821f6a37eabea90f1bb99ab9c41f031262e892a747bc"
)

HEIGHT = 48
"""How high a line is when it is read."""
LEAST_WIDTH = 320
"""Shorter lines are filled up with grey on their right."""
TALL = 1.5
"""From which height for its width on a line may run downwards; it may be a single digit, too."""


class TextReader:
    """Any number of threads may call it at a time.

    Raises:
        PipelineError: a model file is missing or was altered.
    """

    def __init__(self) -> None:
        self._session = session_of(MODEL)
        self._characters = _characters()

    def read(self, crop: Crop) -> Line:
        """Read one line that fills the crop, which is BGR."""
        line = self._recognise(crop)
        height, width, _ = crop.shape
        if height < TALL * width:
            return line
        turned = self._recognise(np.ascontiguousarray(np.rot90(crop)))
        return max(line, turned, key=lambda line: line[1])

    def _recognise(self, crop: Crop) -> Line:
        """The text of the likeliest character at each step (connectionist temporal
        classification), and the mean of how likely they are."""
        height, width, _ = crop.shape
        with failing(f"PP-OCR cannot read a line of {width} x {height} pixels"):
            (steps,) = self._session.run(None, {"x": _input(crop)})
        classes = steps[0].argmax(axis=1)
        begins = np.diff(classes, prepend=0) != 0
        written = begins & (classes != 0)
        if not written.any():
            return "", 0.0
        text = "".join(self._characters[n] for n in classes[written])
        return text.strip(), float(steps[0].max(axis=1)[written].mean())


def _input(crop: Crop) -> ModelInput:
    height, width, _ = crop.shape
    line = model_input(scaled(crop, ceil(width * HEIGHT / height), HEIGHT))
    missing = max(0, LEAST_WIDTH - line.shape[3])
    return np.pad(line, [(0, 0), (0, 0), (0, 0), (0, missing)])


@cache
def _characters() -> list[str]:
    """By the number of their class: 0 is none, and the last one is the space."""
    return ["", *CHARACTERS.checked().read_text("utf-8").split("\n")[:-1], " "]
