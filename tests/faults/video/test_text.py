"""Frames that text recognition must get through, or refuse, in bounded time and memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.clips import encode_clip
from tests.services.pipelines.drawing import Picture, font, page
from tests.support.client import submit, wait_for
from tests.support.footage import clip
from tests.support.server import ServerProcess

LARGEST = (4320, 8192, 3)
MIB = 1024 * 1024
PROGRAM = """
import json, sys, time
import numpy as np
from app.core.errors import PipelineError
from app.services.pipelines.ocr import OcrPipeline

def resident(name):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name))) * 1024

frame = np.load(sys.argv[1])
pipeline = OcrPipeline()
pipeline({"frame": np.full((720, 1280, 3), 255, np.uint8)})
before, began = resident("VmRSS"), time.perf_counter()
try:
    blocks = len(pipeline({"frame": frame})["blocks"])
    said = ""
except PipelineError as error:
    blocks, said = 0, str(error)
cost = {"seconds": time.perf_counter() - began, "memory": resident("VmHWM") - before}
print(json.dumps({"blocks": blocks, "said": said, **cost}))
"""


class Outcome(NamedTuple):
    """blocks: how many lines were found. said: why it failed, if it did. memory: bytes above what
    a frame of 720p leaves behind."""

    blocks: int
    said: str
    seconds: float
    memory: int


def outcome(frame: Picture, folder: Path) -> Outcome:
    path = folder / "frame.npy"
    np.save(path, frame)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    return Outcome(**json.loads(done.stdout))


def black() -> Picture:
    return np.zeros(LARGEST, np.uint8)


def noise() -> Picture:
    return np.random.default_rng(0).integers(0, 255, LARGEST, np.uint8)


def coarse_noise() -> Picture:
    """In squares that are still seen when the frame is scaled down."""
    small = np.random.default_rng(0).integers(0, 2, (540, 1024, 1), np.uint8) * 255
    return np.repeat(small.repeat(8, 0).repeat(8, 1), 3, 2)


def thousands_of_words() -> Picture:
    """As many as there is room for if all are to be seen."""
    image = Image.new("RGB", (LARGEST[1], LARGEST[0]), "white")
    draw, face = ImageDraw.Draw(image), font("Aileron", 64)
    for n in range(2_400):
        draw.text((10 + 204 * (n % 40), 8 + 72 * (n // 40)), f"{n:04}", "black", face)
    return np.asarray(image).copy()


def text_from_side_to_side() -> Picture:
    return page(["All the words there are " * 12] * 40, 48, *LARGEST[:2])


def other_scripts() -> Picture:
    lines = ["Следующая станция", "מים חמים", "خروج للطوارئ", "ทางออก", "उत्तर दिशा"]
    return page(lines, 40, 480, 640, "DejaVuSans")


FRAMES = [black, noise, coarse_noise, thousands_of_words, text_from_side_to_side, other_scripts]


@pytest.mark.parametrize("draw", FRAMES)
def test_a_frame_is_answered_in_bounded_time_and_memory(
    draw: Callable[[], Picture], tmp_path: Path
) -> None:
    ended = outcome(draw(), tmp_path)
    print(ended)
    assert ended.seconds < 60
    assert ended.memory < 512 * MIB


def test_sides_that_differ_too_much_are_refused(tmp_path: Path) -> None:
    for shape in ((16, 65_536, 3), (65_536, 16, 3)):
        ended = outcome(np.full(shape, 255, np.uint8), tmp_path)
        assert f"{shape[1]} x {shape[0]} pixels" in ended.said


def slides(folder: Path) -> Path:
    lines = [f"{n} {'All the words there are ' * 2}" for n in range(8)]
    pages = [page(lines, 28 + n % 9, 720, 1280) for n in range(8)]
    return encode_clip(folder / "slides.mp4", pages)


@pytest.fixture
def two_processors() -> Iterator[None]:
    """For processes that are started: so many frames are looked at at a time."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(usable)[:2])
    yield
    os.sched_setaffinity(0, usable)


@pytest.mark.usefixtures("two_processors")
def test_memory_does_not_grow_from_job_to_job(tmp_path: Path) -> None:
    text, film = slides(tmp_path), clip("bigbuckbunny.mp4")
    with ServerProcess(tmp_path / "data") as server:
        idle = server.rss()
        for video in (text, film, text):
            wait_for(server.base_url, submit(server.base_url, video, "ocr"), 100)
            assert server.peak_rss() - idle < 300e6
