"""Text in the picture."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, ClassVar

from app.core.heaps import give_back
from app.services.pipelines import text_detector, text_reader
from app.services.pipelines.known_lines import KnownLines, Line
from app.services.pipelines.line_pictures import cut_out
from app.services.pipelines.reading_order import Corners, reading_order
from app.services.pipelines.text_detector import TextDetector
from app.services.pipelines.text_reader import TextReader

LEAST_CONFIDENCE = 0.8
"""What is read with less is no text: shapes, and blurs of which one word in twenty is right."""
SQUARES = frozenset("□■口回")
"""What the corners of a QR code are taken for, however clearly."""
LIBRARIES = ("onnxruntime", "opencv-python-headless")
FILES = (text_detector.MODEL, text_reader.MODEL, text_reader.CHARACTERS)


class OcrPipeline:
    """Answers `{"text": str, "blocks": [...]}`, one block for each line of text.

    A block is `{"text": str, "confidence": 0..1, "bbox": {"x", "y", "width", "height"},
    "points": [...]}`, in pixels from the top left of the frame. The four points, `{"x": int,
    "y": int}`, are the line's corners, clockwise from the top left of its text, and `bbox` is the
    upright rectangle around them. Blocks are in `reading_order`; `text` is that of all of them, one
    a line.
    """

    pure = True
    version = ", ".join(
        [
            *(f"{name} {version(name)}" for name in LIBRARIES),
            *(f"{file.name} {file.sha256}" for file in FILES),
        ]
    )

    # Of one job, whose frames are shared out among threads.
    _known: ClassVar[KnownLines] = KnownLines()

    def __init__(self) -> None:
        self._detector = TextDetector()
        self._reader = TextReader()

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        frame = payload["frame"]
        found = self._detector.find(frame)
        crops = (cut_out(frame, corners) for corners in found)
        lines = self._known.read(crops, self._reader.read)
        blocks = _blocks(found, lines)
        return {"text": "\n".join(block["text"] for block in blocks), "blocks": blocks}

    def close(self) -> None:
        self._known.clear()
        give_back()


def _blocks(found: list[Corners], lines: list[Line]) -> list[dict[str, Any]]:
    legible = [
        (corners, line) for corners, line in zip(found, lines, strict=True) if _is_text(*line)
    ]
    order = reading_order([corners for corners, _ in legible])
    return [_block(*legible[n]) for n in order]


def _is_text(text: str, confidence: float) -> bool:
    return confidence >= LEAST_CONFIDENCE and not SQUARES.issuperset(text)


def _block(corners: Corners, line: Line) -> dict[str, Any]:
    text, confidence = line
    left, top = (int(value) for value in corners.min(axis=0))
    right, bottom = (int(value) for value in corners.max(axis=0))
    return {
        "text": text,
        "confidence": round(confidence, 4),
        "bbox": {"x": left, "y": top, "width": right - left, "height": bottom - top},
        "points": [{"x": int(x), "y": int(y)} for x, y in corners],
    }
