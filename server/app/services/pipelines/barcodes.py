"""Bar codes and matrix codes, read with ZXing-C++."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import zxingcpp
from zxingcpp import BarcodeFormat, ContentType, TextMode

NO_TEXT = {ContentType.Binary, ContentType.Mixed, ContentType.UnknownECI}
DARK_ON_LIGHT_ALONE = zxingcpp.BarcodeFormats(
    [
        BarcodeFormat.AllLinear,
        BarcodeFormat.PDF417,
        BarcodeFormat.MicroPDF417,
        BarcodeFormat.MaxiCode,
    ]
)
"""What ZXing does not look for in light on dark, whatever it is asked for."""


class BarcodesPipeline:
    """Answers `{"barcodes": [...]}`, each `{"format": str, "text": str, "points": [...]}`.

    text: the contents, control characters included. What is no text stands there too, a character
        for each byte, and as it is in `bytes`, in base64.
    upc: the 12 digits of a UPC-A code, whose `text` is the same number as EAN-13, or the 8 digits
        of a UPC-E code; other codes have none. An EAN-13 code that begins with 0 is the same bars.
    points: the corners of the code, clockwise from the code's own top left, four of
        `{"x": int, "y": int}` in pixels.

    A frame in which nothing is found is looked at again for light codes on a dark ground.
    """

    pure = True
    version = f"zxing-cpp {version('zxing-cpp')}, 2"

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        frame = payload["frame"]
        found = zxingcpp.read_barcodes(frame, text_mode=TextMode.Plain)
        found = found or zxingcpp.read_barcodes(
            np.invert(frame),
            formats=DARK_ON_LIGHT_ALONE,
            text_mode=TextMode.Plain,
            try_invert=False,
        )
        return {"barcodes": [dict(_described(barcode)) for barcode in found]}


def _described(barcode: zxingcpp.Barcode) -> Iterator[tuple[str, Any]]:
    yield "format", barcode.format.name
    yield "text", barcode.text
    if barcode.content_type in NO_TEXT:
        yield "bytes", b64encode(barcode.bytes).decode()
    if barcode.format == BarcodeFormat.UPCE:
        extra: Any = barcode.extra
        yield "upc", extra["UPCE"]
    elif barcode.format == BarcodeFormat.EAN13 and barcode.text.startswith("0"):
        yield "upc", barcode.text[1:]
    corners = barcode.position
    yield (
        "points",
        [
            {"x": corner.x, "y": corner.y}
            for corner in (
                corners.top_left,
                corners.top_right,
                corners.bottom_right,
                corners.bottom_left,
            )
        ],
    )
