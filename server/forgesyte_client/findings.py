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
    """The objects in the lists of a result: the blocks of `ocr`, the objects of `objects`."""
    return [detection for _, detection in labelled(result)]


def labelled(result: Mapping[str, Any]) -> list[tuple[str, Detection]]:
    """The detections, each with what it is called; one without a name after the list it is in."""
    return [
        (label(item, kind), item)
        for kind, value in result.items()
        if isinstance(value, list)
        for item in value
        if isinstance(item, Mapping)
    ]


def labels(result: Mapping[str, Any]) -> list[str]:
    """What a result speaks of: its detections, or the shot that the frame belongs to."""
    found = [name for name, _ in labelled(result)]
    return found or [f"shot {shot}" for shot in [result.get("shot")] if isinstance(shot, int)]


def numbers(result: Mapping[str, Any]) -> dict[str, float]:
    """What a result measures: its values that are numbers."""
    return {
        name: value
        for name, value in result.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def label(detection: Detection, kind: str = "") -> str:
    """What a detection is called: its text, label, name or class. If it has none but a place, it is
    called after its `kind` and the number of its class; else, it is all that it holds."""
    for key in ("text", "label", "name", "class_name", "class"):
        if isinstance(value := detection.get(key), str):
            return value
    if not corners(detection):
        return as_text(detection)
    number = next((detection[key] for key in ("class_id", "class") if key in detection), "")
    return f"{kind} {number}".strip()


def corners(detection: Detection) -> list[tuple[float, float]]:
    """The outline of a detection in pixels from the frame's top left; empty if it has none."""
    match detection:
        case {"points": [{"x": _, "y": _}, *_] as points}:
            return [(point["x"], point["y"]) for point in points]
        case {"points": [[_, _], *_] as points}:
            return [(x, y) for x, y in points]
        case {"bbox": {"x": x, "y": y, "width": width, "height": height}}:
            return rectangle(x, y, x + width, y + height)
        case {"xyxy": [left, top, right, bottom]}:
            return rectangle(left, top, right, bottom)
    return []


def rectangle(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def describe(result: Mapping[str, Any]) -> str:
    """A frame's result for a person to read: a line for each detection, or its shot."""
    found = labels(result)
    if found:
        return "\n".join(found)
    return NOTHING if any(value == [] for value in result.values()) else as_text(result)


def runs(frames: Iterable[Frame]) -> Iterator[tuple[list[Frame], str]]:
    """Frames that follow each other with the same description, together, and the description."""
    for description, group in groupby(frames, key=lambda frame: describe(frame.result)):
        yield list(group), description


def as_text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
