from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.services.pipelines.registry import PipelineRegistry
from app.services.pipelines.shots import ShotsPipeline
from app.services.video.payload import FramePayload
from app.services.video.reader import read_frames
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import encode_clip
from tests.support.footage import FRAME_COUNTS, clip

CUTS = [30, 76, 137, 187, 242]
"""Those of bikes.mp4; the other clips have none."""


def shots(video: Path) -> list[tuple[int, bool]]:
    results = VideoFilePipelineService(PipelineRegistry()).run_on_file(video, "shots")
    return [(r["result"]["shot"], r["result"]["begins"]) for r in results]


def expected(beginnings: list[int], frames: int) -> list[tuple[int, bool]]:
    return [
        (sum(first <= index for first in beginnings) - 1, index in beginnings)
        for index in range(frames)
    ]


@pytest.mark.parametrize("name", FRAME_COUNTS)
def test_real_footage(name: str) -> None:
    cuts = CUTS if name == "bikes.mp4" else []

    assert shots(clip(name)) == expected([0, *cuts], FRAME_COUNTS[name])


def test_footage_without_colour() -> None:
    """With the noise that makes every pixel's hue another in each frame."""
    pipeline, noise = ShotsPipeline(), np.random.default_rng(0)
    beginnings = []
    limits = {"max_frame_pixels": 10**7, "max_video_frames": 1000}
    for frame in read_frames(clip("bikes.mp4"), frame_stride=1, **limits):
        grey = frame.resized(320, 136).mean(axis=2, keepdims=True)
        picture = (grey + noise.integers(-1, 2, (136, 320, 3))).clip(0, 255).astype(np.uint8)
        if pipeline(FramePayload(frame.index, picture, frame.timestamp))["begins"]:
            beginnings.append(frame.index)

    assert beginnings == [0, *CUTS]


def even(blue: int, green: int, red: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), (blue, green, red), np.uint8)


def test_shots_may_be_of_one_frame_and_a_fade_is_no_cut(tmp_path: Path) -> None:
    fade = [even(level, level, level) for level in range(0, 250, 5)]
    frames = [*fade, even(0, 0, 200), even(200, 0, 0), *[even(0, 200, 0)] * 3]

    assert shots(encode_clip(tmp_path / "cuts.mp4", frames)) == expected([0, 50, 51, 52], 55)


def test_each_video_begins_with_its_first_shot(tmp_path: Path) -> None:
    video = encode_clip(tmp_path / "one.mp4", [even(9, 9, 9)])

    assert shots(clip("bikes.mp4"))[-1] == (5, False)
    assert shots(video) == [(0, True)]
