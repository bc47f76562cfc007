import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree
from time import sleep

import cv2
import numpy as np
import pytest
from PIL import Image

from app.core.errors import PipelineError
from app.services.pipelines import model_files, model_session, text_detector, text_reader
from app.services.pipelines.known_lines import Crop, KnownLines, Line
from app.services.pipelines.ocr import OcrPipeline
from app.services.pipelines.registry import PipelineRegistry
from app.services.pipelines.text_detector import TextDetector
from app.services.pipelines.text_reader import TextReader
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import encode_clip
from tests.fixtures.make_tiny_mp4 import TINY_MP4
from tests.services.pipelines.drawing import FACES, Picture, page, paste
from tests.services.pipelines.rendered import KINDS, cases
from tests.support.footage import clip

LINES = ["Platform 9 to London", "Mind the gap", "Departs at 11:45"]


@pytest.fixture(scope="module")
def pipeline() -> OcrPipeline:
    return OcrPipeline()


def test_lines_are_read_with_their_places(pipeline: OcrPipeline) -> None:
    answer = pipeline({"frame": page(LINES)})

    assert answer["text"] == "\n".join(LINES)
    assert [block["text"] for block in answer["blocks"]] == LINES
    for n, block in enumerate(answer["blocks"]):
        assert 0.8 < block["confidence"] <= 1
        box = block["bbox"]
        assert box["x"] == pytest.approx(40, abs=8)
        assert 32 + 64 * n <= box["y"] < box["y"] + box["height"] <= 40 + 64 * (n + 1)
        assert 150 < box["width"] < 400


def test_points_are_the_corners_of_tilted_lines_too(pipeline: OcrPipeline) -> None:
    """Clockwise from the top left of the text; the box is the upright one around them."""
    image = Image.fromarray(page(LINES)).rotate(-12, fillcolor="white")

    answer = pipeline({"frame": np.asarray(image)})

    assert answer["text"] == "\n".join(LINES)
    for block in answer["blocks"]:
        xs, ys = ([point[axis] for point in block["points"]] for axis in "xy")
        assert block["bbox"] == {
            "x": min(xs),
            "y": min(ys),
            "width": max(xs) - min(xs),
            "height": max(ys) - min(ys),
        }
        slopes = [(ys[b] - ys[a]) / (xs[b] - xs[a]) for a, b in ((0, 1), (3, 2))]
        assert slopes == pytest.approx([np.tan(np.radians(12))] * 2, abs=0.05)
        assert xs[0] < xs[1]
        assert ys[0] < ys[3]


def test_corners_at_the_border_are_within_the_frame(pipeline: OcrPipeline) -> None:
    height, width = 48, 300
    frame = page(LINES[:1])[36 : 36 + height, 36 : 36 + width]

    (block,) = pipeline({"frame": np.ascontiguousarray(frame)})["blocks"]

    assert all(0 <= p["x"] < width and 0 <= p["y"] < height for p in block["points"])


@pytest.mark.parametrize("kind", KINDS)
def test_words_in_all_kinds_of_video(pipeline: OcrPipeline, kind: str) -> None:
    read = written = 0
    for case in cases(kind, 3):
        words = Counter(pipeline({"frame": case.picture})["text"].split())
        read += (words & Counter(case.words)).total()
        written += len(case.words)
    assert read >= 0.92 * written


def test_a_single_narrow_digit_and_text_that_runs_downwards(pipeline: OcrPipeline) -> None:
    frame = page(["1"], 64)
    paste(frame, np.rot90(page(["Hotel"], 48, 130, 240), -1), 380, 120)

    assert sorted(pipeline({"frame": frame})["text"].split("\n")) == ["1", "Hotel"]


def test_all_threads_share_what_is_dear_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_slowly(path: Path, *_: object, **__: object) -> None:
        opened.append(path.name)
        sleep(0.05)

    forget_models()
    monkeypatch.setattr(model_session, "InferenceSession", open_slowly)
    with ThreadPoolExecutor(4) as threads:
        for made in [threads.submit(OcrPipeline) for _ in range(4)]:
            made.result()
    forget_models()

    assert opened == [text_detector.MODEL.name, text_reader.MODEL.name]


def forget_models() -> None:
    model_session._open.cache_clear()
    text_reader._characters.cache_clear()


def test_of_too_many_lines_the_surest_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = page(LINES)
    frame[40:72] = cv2.GaussianBlur(frame[40:72], (25, 25), 7)  # the first line
    monkeypatch.setattr(text_detector, "MOST_LINES", 2)

    assert sorted(corners[0, 1] > 90 for corners in TextDetector().find(frame)) == [True, True]


@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (2, 2, 3), (2, 500, 3), (500, 2, 3)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_frame_without_text_is_nothing_to_talk_about(
    pipeline: OcrPipeline,
    shape: tuple[int, ...],
    level: int,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    frame = np.full(shape, level, np.uint8)
    with caplog.at_level(logging.DEBUG):
        assert pipeline({"frame": frame}) == {"text": "", "blocks": []}
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_frame_too_wide_to_look_at_is_no_frame_without_text(pipeline: OcrPipeline) -> None:
    with pytest.raises(PipelineError, match="frame of 40000 x 40 pixels is too long"):
        pipeline({"frame": np.full((40, 40_000, 3), 255, np.uint8)})


def test_one_frame_leaves_nothing_behind_for_the_next(pipeline: OcrPipeline) -> None:
    pipeline({"frame": page(LINES)})

    assert pipeline({"frame": page(["Short"], height=200, width=300)})["text"] == "Short"


@pytest.mark.parametrize("face", FACES)
def test_words_on_video_in_several_sizes(tmp_path: Path, face: str) -> None:
    sizes = (18, 24, 40, 64)
    pages = [page(LINES, size, height=480, width=960, face=face) for size in sizes]
    video = encode_clip(tmp_path / "pages.mp4", pages)

    results = VideoFilePipelineService(PipelineRegistry()).run_on_file(video, "ocr")

    assert [result["result"]["text"] for result in results] == ["\n".join(LINES)] * len(sizes)


class NothingKnown(KnownLines):
    def read(self, crops: Iterable[Crop], reader: Callable[[Crop], Line]) -> list[Line]:
        return [reader(crop) for crop in crops]


def test_lines_are_read_once_with_the_answers_of_reading_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line after another is typed; what stays is not read again."""
    typed = [page([*LINES, "Change here for all stations"[: n + 8]]) for n in range(20)]
    read: list[Crop] = []
    plainly = TextReader.read

    def counting(self: TextReader, crop: Crop) -> Line:
        read.append(crop)
        return plainly(self, crop)

    monkeypatch.setattr(TextReader, "read", counting)
    service = VideoFilePipelineService(PipelineRegistry())
    for video in (encode_clip(tmp_path / "typed.mp4", typed), clip("bikes.mp4")):
        known = service.run_on_file(video, "ocr", 1, 30)
        count = len(read)
        with monkeypatch.context() as patched:
            patched.setattr(OcrPipeline, "_known", NothingKnown())
            assert service.run_on_file(video, "ocr", 1, 30) == known
        if video.name == "typed.mp4":
            assert count < 0.6 * (len(read) - count)
        read.clear()


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the models that a fresh server would read."""
    folder = copytree(Path(model_files.__file__).with_name("models"), tmp_path / "models")
    monkeypatch.setattr(model_files, "_FOLDER", folder)
    forget_models()
    yield folder
    forget_models()


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["det.onnx", "rec.onnx", "dict.txt"])
@pytest.mark.parametrize(
    ("spoil", "says"), [(Path.unlink, "cannot be read"), (change_a_byte, "was altered")]
)
def test_a_model_that_is_missing_or_altered_is_named(
    models: Path, name: str, spoil: Callable[[Path], None], says: str
) -> None:
    file = models / f"ppocrv6_tiny_{name}"
    spoil(file)

    with pytest.raises(PipelineError, match=rf"model file {file.name} {says}") as caught:
        VideoFilePipelineService(PipelineRegistry()).run_on_file(TINY_MP4, "ocr")

    assert str(models) not in str(caught.value)


def in_a_process_of_its_own(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"ORT_DISABLE_TELEMETRY": "0"},
    )
    return done.stdout


def test_loading_it_leaves_the_log_as_it_was_and_tells_nobody() -> None:
    code = """
import logging, os
import app.services.pipelines.ocr
print(logging.getLogger().handlers, logging.getLogger().level, os.environ["ORT_DISABLE_TELEMETRY"])
"""
    assert in_a_process_of_its_own(code) == "[] 30 1\n"


def picture_of_noise() -> Picture:
    return np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)


def test_noise_has_an_answer(pipeline: OcrPipeline) -> None:
    assert {*pipeline({"frame": picture_of_noise()})} == {"text", "blocks"}
