"""Damaged copies of video files, each made from its number alone."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.services.video.payload import FramePayload
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import top_level_boxes

EXTREMES = (b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff")


class Nothing:
    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> dict[str, Any]:
        payload.digest  # noqa: B018
        payload["frame"]
        return {}


def run(path: Path, whole: int) -> str:
    """Run the service on a file: "list", "fewer" than of the whole file, or what it raised."""
    service = VideoFilePipelineService(
        Nothing(), max_frame_pixels=1024 * 1024, max_video_frames=5000
    )
    try:
        results = service.run_on_file(path, "nothing")
    except ValueError as error:
        return type(error).__name__
    assert results, "a video without frames is an error"
    return "list" if len(results) >= whole else "fewer"


def mutant(original: bytes, number: int) -> bytes:
    """One to sixteen changes of one kind, half of the time to the index, where they tell most."""
    chance = random.Random(number)
    data = bytearray(original)
    start, end = 0, len(data)
    if chance.random() < 0.5:
        start = original.index(b"moov")
        end = start + int.from_bytes(original[start - 4 : start], "big")
    change = chance.choice(CHANGES)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if start < min(end, len(data)):
            change(data, chance.randrange(start, min(end, len(data))), chance)
    return bytes(data)


def flip_bit(data: bytearray, at: int, chance: random.Random) -> None:
    data[at] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, at: int, chance: random.Random) -> None:
    length = chance.choice((1, 4, 64, 2000))
    data[at : at + length] = chance.randbytes(length)


def set_extreme(data: bytearray, at: int, chance: random.Random) -> None:
    data[at : at + 4] = chance.choice(EXTREMES)


def leave_out(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at : at + chance.randrange(1, 64)]


def repeat(data: bytearray, at: int, chance: random.Random) -> None:
    data[at:at] = data[at : at + chance.randrange(1, 64)]


def move(data: bytearray, at: int, chance: random.Random) -> None:
    length, source = chance.randrange(1, 2000), chance.randrange(len(data))
    data[at : at + length] = data[source : source + length]


def cut_off(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at:]


CHANGES: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    flip_bit,
    overwrite,
    set_extreme,
    leave_out,
    repeat,
    move,
    cut_off,
)


def untidy(original: bytes, number: int) -> bytes:
    """What may be whole though its bytes are not tidy: other sizes of boxes, and a tail.

    Half of them are cut off besides, which nothing of that may hide.
    """
    chance = random.Random(number)
    data = bytearray(original)
    for _ in range(chance.randrange(3)):
        _, start, _ = chance.choice(top_level_boxes(original))
        size = int.from_bytes(original[start : start + 4], "big") + chance.choice((-8, 8, 1000))
        data[start : start + 4] = chance.choice((b"\0\0\0\0", b"\0\0\0\x08", size.to_bytes(4)))
    if chance.random() < 0.5:
        del data[chance.randrange(len(data)) :]
    tail = chance.choice((b"", b"\n", bytes(2000), b"\xff" * 2000, chance.randbytes(2000)))
    return bytes(data) + tail + chance.choice((b"", b"\0\0\x10\0free", b"\0\0\x10\0moov"))
