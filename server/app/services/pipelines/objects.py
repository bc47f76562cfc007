"""Things of everyday life in the picture: SSDLite MobileNetV2, trained on COCO.

Importing this module loads OpenCV and ONNX Runtime.
"""

import functools
import json
from collections.abc import Iterator
from importlib.metadata import version
from math import ceil
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.services.pipelines.model_files import ModelFile
from app.services.pipelines.model_session import session_of
from app.services.video.payload import FramePayload
from app.services.video.picture import Image

MODEL = ModelFile(
    "ssdlite_mobilenet_v2_coco_fp16.onnx",
    "048e65afd2b72e81ec2f774cbea457b9bca1f0a1e5cc2ee36bf4681d833e0530",
)
LABELS = ModelFile(
    "coco90_labels.json", "4639041bdb0638320972ee499284322236af2533bf424ea6090c31ac08d46027"
)
LIBRARIES = ("onnxruntime", "opencv-python-headless")

SIDE = 300
"""Of the square that the model looks at, in pixels."""
LEAST_CONFIDENCE = 0.5
SAME = 0.5
"""Boxes of one class that share this much of what they cover together are of one thing."""
LONG = 1.8
"""From which proportion of its sides on a frame is looked at in tiles, too."""
LONGEST = 9.0
"""Frames longer than this are taken for being of this proportion."""
OVERLAP = 0.15
"""The least share of a tile that the next one looks at again."""
PART = 0.5
"""The share of a box that is cut from which on it is a part of another."""
CUT = 0.02
"""How close to the border of a tile, in shares of it, a box ends that may go on behind it."""

Boxes = NDArray[np.float32]
"""n x 4: left, top, right and bottom, as shares of the frame."""


class Found(NamedTuple):
    boxes: Boxes
    classes: NDArray[np.intp]
    confidences: NDArray[np.float32]
    are_cut: NDArray[np.bool_]
    """Which boxes end at a border that is none of the frame: of what may go on behind it."""


class ObjectsPipeline:
    """Answers `{"objects": [...]}`, each `{"label": str, "confidence": 0.5..1, "bbox": {"x",
    "y", "width", "height"}}`, in pixels of the frame and inside it.

    label: one of the 80 classes of COCO. Objects are in the order of their labels, of one label
        with the surest first.

    A frame that is longer than LONG is squashed beyond recognition of small things: it is looked at
    in overlapping square tiles as well as whole.
    """

    pure = True
    version = ", ".join(
        [*(f"{name} {version(name)}" for name in LIBRARIES), MODEL.sha256, LABELS.sha256]
    )

    def __init__(self) -> None:
        self._session = session_of(MODEL)
        self._labels = _labels()

    def __call__(self, payload: FramePayload) -> dict[str, Any]:
        looks = [self._look(picture, place) for picture, place in _pictures(payload)]
        found = Found(*(np.concatenate(values) for values in zip(*looks, strict=True)))
        described = (self._described(n, found, payload.size) for n in _one_of_each(found))
        objects = [one for one in described if one is not None]
        return {"objects": sorted(objects, key=lambda o: (o["label"], -o["confidence"]))}

    def _look(self, picture: Image, place: Boxes) -> Found:
        """`place` is the part of the frame that the picture shows."""
        rgb = picture[:, :, ::-1].transpose(2, 0, 1)[np.newaxis]
        image = rgb.astype(np.float32) / np.float32(127.5) - np.float32(1)
        boxes, scores = (out[0] for out in self._session.run(["boxes", "scores"], {"image": image}))
        classes = scores.argmax(axis=1)
        confidences = scores[np.arange(len(scores)), classes]
        boxes = boxes[:, [1, 0, 3, 2]]
        sure = confidences >= LEAST_CONFIDENCE
        boxes = boxes[sure]
        in_frame = boxes * np.tile(place[2:] - place[:2], 2) + np.tile(place[:2], 2)
        return Found(in_frame, classes[sure], confidences[sure], _are_cut(boxes, place))

    def _described(self, n: int, found: Found, size: tuple[int, int]) -> dict[str, Any] | None:
        """None of a box that is outside the frame, and of what is no class."""
        label = self._labels[found.classes[n]]
        edges = np.rint(found.boxes[n].clip(0, 1) * np.tile(size, 2)).astype(int)
        left, top, right, bottom = edges.tolist()
        if label is None or left >= right or top >= bottom:
            return None
        return {
            "label": label,
            "confidence": round(float(found.confidences[n]), 4),
            "bbox": {"x": left, "y": top, "width": right - left, "height": bottom - top},
        }


@functools.cache
def _labels() -> list[str | None]:
    labels: list[str | None] = json.loads(LABELS.checked().read_text())
    return labels


def _pictures(payload: FramePayload) -> Iterator[tuple[Image, Boxes]]:
    """What is looked at, each with the part of the frame that it shows."""
    yield payload.resized(SIDE, SIDE), np.array([0, 0, 1, 1], np.float32)
    width, height = payload.size
    proportion = min(max(width, height) / min(width, height), LONGEST)
    if proportion <= LONG:
        return
    long = round(SIDE * proportion)
    lies = width > height
    strip = payload.resized(long, SIDE) if lies else payload.resized(SIDE, long)
    tiles = 1 + ceil((proportion - 1) / (1 - OVERLAP))
    for start in np.rint(np.linspace(0, long - SIDE, tiles)).astype(int):
        end = start + SIDE
        tile = strip[:, start:end] if lies else strip[start:end]
        edges = (start / long, 0, end / long, 1) if lies else (0, start / long, 1, end / long)
        yield tile, np.array(edges, np.float32)


def _are_cut(boxes: Boxes, place: Boxes) -> NDArray[np.bool_]:
    goes_on_before, goes_on_behind = place[:2] > 0, place[2:] < 1
    before = (boxes[:, :2] < CUT) & goes_on_before
    behind = (boxes[:, 2:] > 1 - CUT) & goes_on_behind
    return np.asarray((before | behind).any(axis=1))


def _one_of_each(found: Found) -> list[int]:
    """Non-maximum suppression: the surest of the boxes of each thing, and of a part of it none."""
    if not len(found.boxes):
        return []
    corners = np.hstack([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]])
    kept = cv2.dnn.NMSBoxesBatched(
        corners.tolist(),
        found.confidences.tolist(),
        found.classes.tolist(),
        LEAST_CONFIDENCE,
        SAME,
    )
    return [int(n) for n in kept if not (found.are_cut[n] and _is_a_part(n, kept, found))]


def _is_a_part(n: int, kept: Any, found: Found) -> bool:
    """Whether more than PART of a box lies in one of its class that is whole, or surer."""
    others = [
        m
        for m in kept
        if found.classes[m] == found.classes[n]
        and (not found.are_cut[m] or found.confidences[m] > found.confidences[n])
    ]
    box, boxes = found.boxes[n], found.boxes[others]
    common = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shares = common.clip(0).prod(axis=1) / (box[2:] - box[:2]).prod()
    return bool((shares > PART).any())
