from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from app.services.pipelines import objects
from app.services.pipelines.objects import ObjectsPipeline
from app.services.video.payload import FramePayload
from app.services.video.picture import Image
from app.services.video.reader import read_frames
from tests.support.footage import clip


def payload(frame: Image) -> FramePayload:
    return FramePayload(0, frame, 0.0)


def frames(name: str, stride: int = 10) -> Iterator[FramePayload]:
    limits = {"max_frame_pixels": 10**7, "max_video_frames": 1000}
    for frame in read_frames(clip(name), frame_stride=stride, **limits):
        yield FramePayload(frame.index, frame, frame.timestamp)


def found(name: str) -> Counter[str]:
    pipeline = ObjectsPipeline()
    return Counter(one["label"] for frame in frames(name) for one in pipeline(frame)["objects"])


def share_of_both(one: dict[str, int], other: dict[str, int]) -> float:
    """Intersection over union."""
    width = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    height = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    common = max(width, 0) * max(height, 0)
    areas = (box["width"] * box["height"] for box in (one, other))
    return common / (sum(areas) - common)


def test_who_is_on_the_phone() -> None:
    pipeline = ObjectsPipeline()
    for frame in frames("carphone_pristine.mp4"):
        (one,) = pipeline(frame)["objects"]
        assert one["label"] == "person"
        assert 0.5 <= one["confidence"] <= 1
        assert share_of_both(one["bbox"], {"x": 15, "y": 15, "width": 161, "height": 129}) > 0.6


def test_a_street(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a proportion of 2.35, so that a square leaves little of what is small."""
    seen = found("bikes.mp4")
    monkeypatch.setattr(objects, "LONG", 3)
    seen_whole = found("bikes.mp4")

    assert {"car", "person", "bicycle"} <= seen.keys()
    assert seen.total() > 2 * seen_whole.total()
    assert all(seen[label] >= seen_whole[label] for label in ("car", "person", "bicycle"))


@pytest.mark.parametrize("axis", [0, 1])
def test_of_a_thing_that_several_looks_see_there_is_one_box(axis: int) -> None:
    (picture,) = (f.frame for f in frames("carphone_pristine.mp4", 50) if f.frame_index == 50)
    grey = np.full_like(picture, 128)
    long = np.concatenate([grey, picture, grey], axis)

    (one,) = ObjectsPipeline()(payload(long))["objects"]

    assert one["label"] == "person"
    assert one["bbox"]["height"] <= picture.shape[0] + 5


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 4000), (4000, 2), (480, 640), (480, 860), (300, 900)]
)
def test_boxes_are_whole_and_inside_the_frame(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)

    for frame in (noise, np.full_like(noise, 200)):
        for one in ObjectsPipeline()(payload(frame))["objects"]:
            box = one["bbox"]
            assert box["width"] > 0 < box["height"]
            assert 0 <= box["x"] <= shape[1] - box["width"]
            assert 0 <= box["y"] <= shape[0] - box["height"]
