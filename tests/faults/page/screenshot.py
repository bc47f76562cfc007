"""Take the README's picture anew: `.venv/bin/python -m tests.faults.page.screenshot`."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.clips import encode_clip
from tests.docs.markdown import REPOSITORY
from tests.faults.page.conftest import chromium, submit
from tests.support.server import ServerProcess

PICTURE = REPOSITORY / ".github/page.png"
FRAMES = 75
SHOWN = 40
# What stands on the board, and from which frame to which.
LINES = [
    ("DEPARTURES", 0, 75),
    ("10:42  NORTH COAST  PLATFORM 4", 5, 45),
    ("10:55  OLD HARBOUR  PLATFORM 2", 20, 75),
    ("11:10  MOUNT PLEASANT  DELAYED", 35, 60),
]


def board() -> Iterator[NDArray[np.uint8]]:
    for frame in range(FRAMES):
        picture = Image.new("RGB", (960, 540), (24, 44, 70))
        draw = ImageDraw.Draw(picture)
        draw.ellipse((12 * frame - 90, 430, 12 * frame + 90, 610), fill=(46, 84, 120))
        for row, (text, first, last) in enumerate(LINES):
            if first <= frame < last:
                font = ImageFont.load_default(size=52 if row == 0 else 38)
                draw.text((70, 60 + 100 * row), text, fill=(250, 240, 200), font=font)
        yield np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def main() -> None:
    with TemporaryDirectory() as name, ServerProcess(Path(name) / "data") as server:
        video = encode_clip(Path(name) / "station.mp4", board(), codec_options={"crf": "12"})
        with chromium() as browser:
            page = browser.new_page(
                viewport={"width": 1280, "height": 720}, reduced_motion="reduce"
            )
            page.goto(server.base_url)
            submit(page, "ocr", video)
            page.locator("#found").wait_for(timeout=60_000)
            for _ in range(SHOWN):
                page.keyboard.press("ArrowRight")
            page.get_by_text(f"frame {SHOWN} of").wait_for()
            page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
