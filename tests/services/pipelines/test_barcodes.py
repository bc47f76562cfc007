from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray
from PIL import Image as Pillow

from app.services.pipelines.barcodes import BarcodesPipeline
from app.services.pipelines.registry import PipelineRegistry
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import encode_clip
from tests.services.pipelines.drawing import code, paste
from tests.support.footage import FRAME_COUNTS, clip

Format = zxingcpp.BarcodeFormat


@pytest.fixture
def canvas() -> NDArray[np.uint8]:
    return np.full((480, 640, 3), 255, np.uint8)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Format.QRCode, "https://example.com/?q=é"),
        (Format.DataMatrix, "LOT 42"),
        (Format.Code128, "ABC-1234"),
        (Format.EAN13, "4006381333931"),
        (Format.PDF417, "boarding pass"),
        (Format.Aztec, "ticket"),
    ],
)
@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_code_is_read_however_it_is_turned(
    canvas: NDArray[np.uint8],
    kind: zxingcpp.BarcodeFormat,
    text: str,
    quarter_turns: int,
) -> None:
    paste(canvas, np.rot90(code(text, kind, scale=2), quarter_turns), x=120, y=60)

    (found,) = BarcodesPipeline()({"frame": canvas})["barcodes"]

    assert (found["format"], found["text"]) == (kind.name, text)
    assert len(found["points"]) == 4


PARCEL = "(01)09501101530003(10)AB-123(21)7"
ALL_BYTES = bytes(range(256))


@pytest.mark.parametrize(
    ("kind", "contents", "options", "expected"),
    [
        (Format.QRCode, "two\nlines", {}, {"text": "two\nlines"}),
        (Format.QRCode, "a\0b\x1bc", {}, {"text": "a\0b\x1bc", "bytes": b"a\0b\x1bc"}),
        (Format.QRCode, ALL_BYTES, {}, {"text": ALL_BYTES.decode("latin-1"), "bytes": ALL_BYTES}),
        (Format.PDF417, b"\0\xff", {}, {"text": "\0\xff", "bytes": b"\0\xff"}),
        (Format.Code128, "ab\x1dcd", {}, {"text": "ab\x1dcd", "bytes": b"ab\x1dcd"}),
        (Format.DataMatrix, PARCEL, {"gs1": True}, {"text": "010950110153000310AB-123\x1d217"}),
        (Format.Code128, PARCEL, {"gs1": True}, {"text": "010950110153000310AB-123\x1d217"}),
        (Format.DataBarOmni, "0950110153000", {}, {"text": "0109501101530003"}),
        (Format.EAN13, "4006381333931", {}, {"text": "4006381333931"}),
        (Format.EAN8, "96385074", {}, {"text": "96385074"}),
        (Format.UPCE, "01234565", {}, {"text": "0012345000065", "upc": "01234565"}),
        (Format.EAN13, "0036000291452", {}, {"text": "0036000291452", "upc": "036000291452"}),
        (Format.UPCA, "036000291452", {},
         {"format": "EAN13", "text": "0036000291452", "upc": "036000291452"}),
    ],
)  # fmt: skip
def test_the_contents_are_as_they_were_put_in(
    canvas: NDArray[np.uint8],
    kind: zxingcpp.BarcodeFormat,
    contents: str | bytes,
    options: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    paste(canvas, code(contents, kind, scale=2, **options), x=60, y=40)

    (found,) = BarcodesPipeline()({"frame": canvas})["barcodes"]

    del found["points"]
    if "bytes" in expected:
        expected = expected | {"bytes": b64encode(expected["bytes"]).decode()}
    assert found == {"format": kind.name} | expected


@pytest.mark.parametrize(
    "kind",
    [Format.Code128, Format.EAN13, Format.ITF, Format.DataBarOmni, Format.PDF417, Format.MaxiCode,
     Format.QRCode, Format.DataMatrix, Format.Aztec],
)  # fmt: skip
def test_light_bars_on_dark_ground(canvas: NDArray[np.uint8], kind: zxingcpp.BarcodeFormat) -> None:
    paste(canvas, code("4006381333931", kind, scale=2), x=120, y=60)
    (dark_on_light,) = BarcodesPipeline()({"frame": canvas})["barcodes"]

    assert BarcodesPipeline()({"frame": 255 - canvas}) == {"barcodes": [dark_on_light]}


def test_the_points_are_the_corners_in_pixels(
    canvas: NDArray[np.uint8],
) -> None:
    image = code("here", Format.QRCode, scale=4)
    quiet = int(np.argmax((image < 128).any(axis=(1, 2))))
    paste(canvas, image, x=200, y=100)

    (found,) = BarcodesPipeline()({"frame": canvas})["barcodes"]

    left, top = 200 + quiet, 100 + quiet
    side = image.shape[0] - 2 * quiet
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    assert [(p["x"], p["y"]) for p in found["points"]] == [
        (pytest.approx(x, abs=4), pytest.approx(y, abs=4)) for x, y in corners
    ]


def test_several_codes_in_one_frame(
    canvas: NDArray[np.uint8],
) -> None:
    paste(canvas, code("one", Format.QRCode), x=20, y=20)
    paste(canvas, code("two", Format.QRCode), x=350, y=250)

    found = BarcodesPipeline()({"frame": canvas})["barcodes"]

    assert sorted(barcode["text"] for barcode in found) == ["one", "two"]


@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3)])
def test_a_frame_without_codes(shape: tuple[int, ...]) -> None:
    assert BarcodesPipeline()({"frame": np.zeros(shape, np.uint8)}) == {"barcodes": []}


@pytest.mark.parametrize("scale", [2, 4])
def test_codes_on_video_turned_by_any_angle(tmp_path: Path, scale: int) -> None:
    image = Pillow.fromarray(code("gate 7", Format.QRCode, scale))
    frames = []
    for degrees in range(0, 360, 30):
        turned = np.asarray(image.rotate(degrees, expand=True, fillcolor="white"))
        frame = np.full((240, 320, 3), 255, np.uint8)
        paste(frame, turned, x=60, y=40)
        frames.append(frame)
    video = encode_clip(tmp_path / "turning.mp4", frames)

    results = VideoFilePipelineService(PipelineRegistry()).run_on_file(video, "barcodes")

    texts = [[found["text"] for found in r["result"]["barcodes"]] for r in results]
    assert texts == [["gate 7"]] * len(frames)


@pytest.mark.parametrize("name", FRAME_COUNTS)
def test_footage_without_codes_gives_none(name: str) -> None:
    results = VideoFilePipelineService(PipelineRegistry()).run_on_file(clip(name), "barcodes")

    assert all(result["result"] == {"barcodes": []} for result in results)
