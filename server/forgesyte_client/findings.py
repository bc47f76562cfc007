"""What stands in a frame's result, whichever pipeline made it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeAlias

from forgesyte_client.models import Frame

Detection: TypeAlias = Mapping[str, Any]
"""One thing found: `{"text": …, "bbox": …}` or alike."""

NOTHING = "nothing"


def detections(result: Mapping[str, Any]) -> list[Detection]:
    """The objects in the lists of a result: the blocks of `ocr`, the barcodes of `barcodes`."""
    return [
        item
        for value in result.values()
        if isinstance(value, list)
        for item in value
        if isinstance(item, Mapping)
    ]


def numbers(result: Mapping[str, Any]) -> dict[str, float]:
    """What a result measures: its values that are numbers."""
    return {
        name: value
        for name, value in result.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def label(detection: Detection) -> str:
    """What a detection is called: its text, label, name or class, else all of it."""
    for key in ("text", "label", "name", "class_name"):
        if isinstance(value := detection.get(key), str):
            return value
    return as_text(detection)


def corners(detection: Detection) -> list[tuple[float, float]]:
    """The outline of a detection in pixels from the frame's top left; empty if it has none."""
    match detection:
        case {"bbox": {"x": x, "y": y, "width": width, "height": height}}:
            return rectangle(x, y, x + width, y + height)
        case {"xyxy": [left, top, right, bottom]}:
            return rectangle(left, top, right, bottom)
        case {"points": [{"x": _, "y": _}, *_] as points}:
            return [(point["x"], point["y"]) for point in points]
    return []


def rectangle(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def describe(result: Mapping[str, Any]) -> str:
    """A frame's result for a person to read: a line for each detection."""
    found = detections(result)
    if found:
        return "\n".join(map(label, found))
    return NOTHING if any(value == [] for value in result.values()) else as_text(result)


def runs(frames: Iterable[Frame]) -> Iterator[tuple[list[Frame], str]]:
    """Frames that follow each other with the same description, together, and the description."""
    for description, group in groupby(frames, key=lambda frame: describe(frame.result)):
        yield list(group), description


def as_text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
