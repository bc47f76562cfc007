"""The outermost structure of an MP4 file (ISO/IEC 14496-12, 4.2): boxes, one after another."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.core.errors import DamagedVideo, NotAnMp4, TruncatedVideo

_HEADER_BYTES = 8
_LONG_HEADER_BYTES = 16


@dataclass(frozen=True)
class Box:
    kind: bytes
    start: int
    end: int


def check_top_level(path: Path) -> None:
    """Check that the boxes fill the file to its last byte, `ftyp` first and `moov` among them.

    A file that was cut off anywhere fails this, and nothing of it has to be decoded to know.

    Raises NotAnMp4, TruncatedVideo or DamagedVideo.
    """
    file_size = path.stat().st_size
    with path.open("rb") as file:
        kinds = {box.kind for box in _top_level_boxes(file, file_size)}
    if b"moov" not in kinds:
        raise TruncatedVideo(
            f"the file ends after {file_size} bytes without an index (moov box): "
            "it is truncated, or its recording was never finished"
        )


def _top_level_boxes(file: BinaryIO, file_size: int) -> Iterator[Box]:
    start = 0
    while start < file_size:
        file.seek(start)
        box = _parse_header(file.read(_LONG_HEADER_BYTES), start, file_size)
        if start == 0 and box.kind != b"ftyp":
            raise NotAnMp4("the file is not an MP4: it does not begin with an ftyp box")
        if box.end > file_size:
            name = box.kind.decode("ascii", "replace")
            raise TruncatedVideo(
                f"the {name} box should end at byte {box.end} and the file ends at byte "
                f"{file_size}: the file is truncated or damaged"
            )
        yield box
        start = box.end
    if file_size == 0:
        raise NotAnMp4("the file is not an MP4: it is empty")


def _parse_header(header: bytes, start: int, file_size: int) -> Box:
    if len(header) < _HEADER_BYTES:
        raise DamagedVideo(
            f"{len(header)} stray bytes follow byte {start}, where a box should begin: "
            "the file is truncated or damaged"
        )
    size, kind = int.from_bytes(header[:4], "big"), header[4:8]
    smallest = _HEADER_BYTES
    if size == 0:  # the last box may say "until the end of the file"
        size = file_size - start
    elif size == 1:  # a 64-bit size follows the kind
        smallest = _LONG_HEADER_BYTES
        size = int.from_bytes(header[8:16], "big")
    if size < smallest:
        raise DamagedVideo(f"the box at byte {start} has no valid size: the file is damaged")
    return Box(kind, start, start + size)
