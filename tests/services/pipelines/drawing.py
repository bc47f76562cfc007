"""Pictures with text and codes in them."""

from importlib.metadata import files
from typing import TypeAlias

import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture: TypeAlias = NDArray[np.uint8]
"""Height x width x 3, blue, green, red."""
FACES = ("Aileron", "SourceSerifPro-Regular", "SourceSerifPro-Bold", "SourceSerifPro-It")


def page(
    lines: list[str], size: int = 32, height: int = 480, width: int = 640, face: str = "Aileron"
) -> Picture:
    """Black text on white, as a BGR image; line n begins at (40, 40 + 2 * size * n)."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for n, line in enumerate(lines):
        draw.text((40, 40 + 2 * size * n), line, font=font(face, size), fill="black")
    return np.asarray(image)[:, :, ::-1].copy()


def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    """Aileron, one of Source Serif Pro's or one of DejaVu's."""
    if face == "Aileron":  # comes with Pillow
        aileron = ImageFont.load_default(size)
        assert isinstance(aileron, ImageFont.FreeTypeFont)
        return aileron
    fonts = files("matplotlib" if face.startswith("DejaVu") else "font-source-serif-pro") or ()
    return ImageFont.truetype(str(next(f.locate() for f in fonts if f.name == f"{face}.ttf")), size)


def code(
    text: str | bytes, kind: zxingcpp.BarcodeFormat, scale: int = 4, **options: object
) -> Picture:
    """A code with its quiet zone, as a BGR image; the options are those of `create_barcode`."""
    grey = np.asarray(zxingcpp.create_barcode(text, kind, **options).to_image(scale=scale))
    return np.repeat(grey[:, :, None], 3, axis=2)


def paste(canvas: Picture, image: Picture, x: int, y: int) -> None:
    height, width = image.shape[:2]
    canvas[y : y + height, x : x + width] = image
