"""Boxes, one after another and inside each other: what every MP4 file is made of.

Names and layouts of boxes are those of ISO/IEC 14496-12.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.errors import DamagedVideo

_NEEDED = frozenset(
    {
        *(b"mvhd", b"trak", b"mvex", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr", b"minf"),
        *(b"stbl", b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stz2", b"stco", b"co64"),
        *(b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun"),
    }
)


class Box(NamedTuple):
    kind: bytes
    body: memoryview
    whole: memoryview

    @property
    def version(self) -> int:
        return self.number(0) >> 24

    def number(self, offset: int) -> int:
        """The 32-bit number at that byte of the body."""
        field = self.body[offset : offset + 4]
        if len(field) < 4:
            raise self.too_short()
        return int.from_bytes(field, "big")

    def numbers(self, offset: int, count: int, kind: str = ">u4") -> NDArray[np.integer]:
        """So many numbers from that byte of the body on, as numpy calls their kind."""
        room = max(len(self.body) - offset, 0) // np.dtype(kind).itemsize
        if room < count:
            raise self.too_short()
        return np.frombuffer(self.body, kind, count, offset)

    def too_short(self) -> DamagedVideo:
        return DamagedVideo(f"{name(self.kind)} is too short: the file is damaged.")


def name(kind: bytes) -> str:
    """What a message calls a box, whatever its four bytes are."""
    readable = all(0x20 < byte < 0x7F for byte in kind)
    return f"The {kind.decode('ascii')} box" if readable else "A box of an unknown kind"


def parse_header(header: bytes | memoryview) -> tuple[bytes, int, int | None]:
    """Kind, size of the header, and size of a box; None: up to where its parent ends.

    Raises:
        DamagedVideo: no box begins with that.
    """
    size: int | None = int.from_bytes(header[:4], "big")
    kind, header_size = bytes(header[4:8]), 8
    if size == 1:
        size, header_size = int.from_bytes(header[8:16], "big"), 16
    elif size == 0:
        size = None
    if len(header) < header_size or (size is not None and size < header_size):
        raise DamagedVideo("A box in the file has no valid size: the file is truncated or damaged.")
    return kind, header_size, size


def children(parent: memoryview, *, strict: bool = False) -> Iterator[Box]:
    """The boxes inside of one.

    A box that says to be longer than its parent ends with it, as players take it, unless it holds
    what is needed to read the video or `strict` asks for exact sizes.
    """
    start = 0
    while len(parent) - start >= 8:  # a few stray bytes do no harm
        rest = parent[start:]
        kind, header_size, size = parse_header(rest[:16])
        if size is None:
            size = len(rest)
        if size > len(rest) and (strict or kind in _NEEDED):
            raise DamagedVideo(f"{name(kind)} in the file's index is cut off: the file is damaged.")
        yield Box(kind, rest[header_size:size], rest[:size])
        start += size


def within(content: bytes | bytearray | memoryview, *path: bytes) -> Iterator[Box]:
    """All boxes at that path of kinds."""
    for box in children(memoryview(content)):
        if box.kind == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from within(box.body, *path[1:])
