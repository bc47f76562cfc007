"""Make short MP4 files that hold something to find: a line of text and a QR code."""

import os
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFont, ImageOps

WIDTH, HEIGHT = 320, 240
_FRAMES_PER_SECOND = 10
_INK, _PAPER = (24, 24, 24), (236, 232, 224)
# Dark modules would be read as letters; so pale, they count as paper where there is ink.
_PALE_INK = (176, 176, 176)


def draw_card(text: str, code: str, *, progress: float = 0.0) -> Image.Image:
    """Draw `text` above a QR code of `code`, with a bar at the foot `progress` (0 to 1) wide."""
    card = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(card)
    draw.text((WIDTH / 2, 36), text, fill=_INK, font=_fitting_font(text), anchor="mm")
    modules = _qr_modules(code)
    card.paste(_PALE_INK, ((WIDTH - modules.width) // 2, 72), modules)
    draw.rectangle((0, HEIGHT - 8, WIDTH * progress, HEIGHT), fill=_INK)
    return card


def write_mp4(path: Path, pictures: Iterable[Image.Image]) -> None:
    """Encode `pictures`, one frame each, as H.264; `path` is replaced only by a whole file."""
    part = path.with_name(f"{path.name}.part")
    # Bit-exact: without the version of the library that wrote it.
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(part), "w", format="mp4", options=options) as container:
        # The other ways to control the rate do not always give the same bytes for the same input.
        video = container.add_stream("libx264", rate=_FRAMES_PER_SECOND, options={"qp": "20"})
        video.width, video.height = WIDTH, HEIGHT
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # the bytes depend on the number of threads
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    os.replace(part, path)


def _fitting_font(text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The bundled font, as large as leaves a margin of a twentieth on either side."""
    unscaled = ImageFont.load_default(size=100)
    size = 100 * 0.9 * WIDTH / unscaled.getlength(text)
    return ImageFont.load_default(size=min(size, 40))


def _qr_modules(content: str) -> Image.Image:
    """A mask of the dark modules of the QR code, quiet zone included."""
    symbol = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode)
    return ImageOps.invert(Image.fromarray(np.asarray(symbol.to_image(scale=4))))
