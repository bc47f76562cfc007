import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from app.services.pipelines.barcodes import BarcodesPipeline
from tests.services.pipelines.drawing import code, paste

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
