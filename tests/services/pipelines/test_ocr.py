import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tesserocr

from app.core.errors import PipelineError
from app.services.pipelines.ocr import OcrPipeline
from app.services.pipelines.registry import PipelineRegistry
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import encode_clip
from tests.services.pipelines.drawing import FACES, page

LINES = ["Platform 9 to London", "Mind the gap", "Departs at 11:45"]


@pytest.fixture(scope="module")
def ocr() -> OcrPipeline:
    return OcrPipeline()


def test_lines_are_read_with_their_places(ocr: OcrPipeline) -> None:
    answer = ocr({"frame": page(LINES)})

    assert answer["text"] == "\n".join(LINES)
    assert [block["text"] for block in answer["blocks"]] == LINES
    for n, block in enumerate(answer["blocks"]):
        assert 0.8 < block["confidence"] <= 1
        box = block["bbox"]
        assert box["x"] == pytest.approx(40, abs=6)
        assert 40 + 64 * n <= box["y"] < box["y"] + box["height"] <= 40 + 64 * (n + 1)
        assert 150 < box["width"] < 400


def test_what_is_dear_to_load_serves_the_next_job(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = []
    monkeypatch.setattr(OcrPipeline, "_idle", [])
    monkeypatch.setattr(tesserocr, "PyTessBaseAPI", lambda **_: engines.append(1))

    first, second = OcrPipeline(), OcrPipeline()
    first.close()
    second.close()
    OcrPipeline()

    assert len(engines) == 2


@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (2, 500, 3)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_frame_without_text(ocr: OcrPipeline, shape: tuple[int, ...], level: int) -> None:
    assert ocr({"frame": np.full(shape, level, np.uint8)}) == {"text": "", "blocks": []}


def test_a_frame_too_wide_for_tesseract_is_no_frame_without_text(ocr: OcrPipeline) -> None:
    with pytest.raises(PipelineError, match="cannot read a frame of 40000 x 40 pixels"):
        ocr({"frame": np.full((40, 40_000, 3), 255, np.uint8)})


def test_one_frame_leaves_nothing_behind_for_the_next(ocr: OcrPipeline) -> None:
    ocr({"frame": page(LINES)})

    assert ocr({"frame": page(["Short"], height=200, width=300)})["text"] == "Short"


def test_colours_are_not_mixed_up(ocr: OcrPipeline) -> None:
    """Tesseract sees pure blue as grey 51: red text on it would vanish if BGR passed for RGB."""
    page_of_text = page(LINES)
    frame = np.full_like(page_of_text, 51)
    frame[page_of_text[:, :, 0] < 128] = (0, 0, 255)

    assert ocr({"frame": frame})["text"] == "\n".join(LINES)


@pytest.mark.parametrize(("set_to", "limit"), [(None, "1"), ("2", "2")])
def test_tesseract_is_told_to_start_no_threads(set_to: str | None, limit: str) -> None:
    """The limit is what can be seen here: our wheel's Tesseract has no threads to start."""
    code = "import os, app.services.pipelines.ocr; print(os.environ['OMP_THREAD_LIMIT'])"
    env = {name: value for name, value in os.environ.items() if name != "OMP_THREAD_LIMIT"}
    if set_to:
        env["OMP_THREAD_LIMIT"] = set_to
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=env,
    )

    assert done.stdout.strip() == limit


@pytest.mark.parametrize("face", FACES)
def test_words_on_video_in_several_sizes(tmp_path: Path, face: str) -> None:
    sizes = (18, 24, 40, 64)
    pages = [page(LINES, size, height=480, width=960, face=face) for size in sizes]
    video = encode_clip(tmp_path / "pages.mp4", pages)

    results = VideoFilePipelineService(PipelineRegistry()).run_on_file(video, "ocr")

    assert [result["result"]["text"] for result in results] == ["\n".join(LINES)] * len(sizes)
