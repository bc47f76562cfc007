from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from app.services.pipelines.quality import QualityPipeline
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.support.footage import FRAME_COUNTS, clip

Picture = NDArray[np.uint8]


def measure(frame: Picture) -> dict[str, Any]:
    return QualityPipeline()({"frame": frame})


def even(blue: int, green: int, red: int) -> Picture:
    return np.full((48, 64, 3), (blue, green, red), np.uint8)


@pytest.mark.parametrize(
    ("colour", "brightness", "black"),
    [
        ((0, 0, 0), 0, 1),
        ((25, 25, 25), 25 / 255, 1),
        ((26, 26, 26), 26 / 255, 0),
        ((255, 255, 255), 1, 0),
        ((255, 0, 0), 0.114, 0),
        ((0, 255, 0), 0.587, 0),
        ((0, 0, 255), 0.299, 0),
    ],
)
def test_even_pictures(colour: tuple[int, int, int], brightness: float, black: float) -> None:
    assert measure(even(*colour)) == {
        "sharpness": 0.0,
        "brightness": pytest.approx(brightness, abs=0.005),
        "contrast": 0.0,
        "black": black,
    }


def test_half_black_half_white() -> None:
    frame = even(0, 0, 0)
    frame[:, 32:] = 255

    assert measure(frame) == {
        # Of 62 columns with neighbours, two see a step of 255, one up and one down.
        "sharpness": pytest.approx(2 / 62 * 255**2, rel=1e-4),
        "brightness": 0.5,
        "contrast": 1.0,
        "black": 0.5,
    }


def test_a_checkerboard_is_as_sharp_as_can_be() -> None:
    rows, columns = np.indices((48, 64))
    frame = np.repeat((((rows + columns) % 2) * 255).astype(np.uint8)[:, :, None], 3, axis=2)

    assert measure(frame)["sharpness"] == (4 * 255) ** 2


def test_blur_takes_sharpness_away() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    picture = Pillow.fromarray(noise)
    blurred = [np.asarray(picture.filter(ImageFilter.GaussianBlur(r))) for r in (0, 1, 2, 4)]

    sharpness = [measure(frame)["sharpness"] for frame in blurred]

    assert sharpness == sorted(sharpness, reverse=True)
    assert len(set(sharpness)) == 4


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (500, 2, 3)])
def test_a_picture_too_small_for_edges(shape: tuple[int, int, int]) -> None:
    assert measure(np.full(shape, 100, np.uint8)) == {
        "sharpness": 0.0,
        "brightness": pytest.approx(100 / 255, abs=1e-4),
        "contrast": 0.0,
        "black": 0.0,
    }


def test_real_footage() -> None:
    """The distorted copy of a clip has lost its details, not its light."""

    class Quality:
        def run_pipeline(self, pipeline_id: str, payload: Any) -> dict[str, Any]:
            return QualityPipeline()(payload)

    pristine, distorted = (
        [r["result"] for r in VideoFilePipelineService(Quality()).run_on_file(clip(name), "q")]
        for name in ("carphone_pristine.mp4", "carphone_distorted.mp4")
    )

    assert len(pristine) == len(distorted) == FRAME_COUNTS["carphone_pristine.mp4"]
    for whole, lossy in zip(pristine, distorted, strict=True):
        assert lossy["sharpness"] < whole["sharpness"] / 2
        assert lossy["brightness"] == pytest.approx(whole["brightness"], abs=0.05)
        assert 0.1 < whole["contrast"] < 0.9
