"""Bar codes and matrix codes, read with ZXing-C++."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import zxingcpp


class BarcodesPipeline:
    """Answers `{"barcodes": [...]}`, each `{"format": str, "text": str, "points": [...]}`.

    The four points, `{"x": int, "y": int}` in pixels, are the corners of the code, clockwise from
    the code's own top left.
    """

    pure = True
    version = f"zxing-cpp {version('zxing-cpp')}"

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        found = zxingcpp.read_barcodes(payload["frame"])
        return {"barcodes": [_describe(barcode) for barcode in found]}


def _describe(barcode: zxingcpp.Barcode) -> dict[str, Any]:
    corners = barcode.position
    return {
        "format": barcode.format.name,
        "text": barcode.text,
        "points": [
            {"x": corner.x, "y": corner.y}
            for corner in (
                corners.top_left,
                corners.top_right,
                corners.bottom_right,
                corners.bottom_left,
            )
        ],
    }
