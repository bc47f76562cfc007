"""Edit lists (ISO/IEC 14496-12, `elst`) with gaps: FFmpeg shows what is around one twice.

So the file is read without its gaps, and what comes behind one is told to come later.
"""

import struct
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

EMPTY = -1
"""Media time of an edit that shows nothing."""


class Edit(NamedTuple):
    """`duration` in the movie's time scale, `media_time` in the track's."""

    duration: int
    media_time: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class Box:
    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Pauses:
    """Where, without its gaps, a track pauses, and how long in all since its beginning; in the
    track's time scale."""

    starts: list[int]
    lengths: list[int]

    def before(self, time: int) -> int:
        passed = bisect(self.starts, time)
        return self.lengths[passed - 1] if passed else 0


NEVER = Pauses([], [])


class WithoutGaps:
    """A file to read whose edit lists have no gaps, and what these were, by the track's id."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.pauses: dict[int, Pauses] = {}
        self._start, self._index = 0, b""
        try:
            self._read_index()
        except (struct.error, IndexError, StopIteration, ZeroDivisionError):
            pass  # whoever decodes it says what is wrong
        except BaseException:
            self._file.close()
            raise
        self._file.seek(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        at = self._file.tell()
        data = self._file.read(size)
        first = max(at, self._start)
        last = min(at + len(data), self._start + len(self._index))
        if first >= last:
            return data
        index = self._index[first - self._start : last - self._start]
        return data[: first - at] + index + data[last - at :]

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def _read_index(self) -> None:
        moov = next((box for box in boxes_of(self._file) if box.kind == b"moov"), None)
        if moov is None:
            return
        self._file.seek(moov.start)
        index = bytearray(self._file.read(moov.end - moov.start))
        self._start = moov.start
        movie_scale = time_scale(index, only(index, whole(index), b"mvhd"))
        for track in within(index, whole(index), b"trak"):
            media_scale = time_scale(index, only(index, track, b"mdia", b"mdhd"))
            header = only(index, track, b"tkhd").body
            track_id = struct.unpack_from(">I", index, header + (20 if index[header] else 12))[0]
            for edit_list in within(index, track, b"edts", b"elst"):
                self.pauses[track_id] = take_out_gaps(index, edit_list, media_scale, movie_scale)
        self._index = bytes(index)


def take_out_gaps(index: bytearray, box: Box, media_scale: int, movie_scale: int) -> Pauses:
    """Shorten the list in its place, with free space behind it."""
    edits = list(edits_of(index, box))
    starts, lengths, kept = [], [], []
    shown = paused = 0
    has_begun = False
    for edit in edits:
        duration = round(edit.duration * media_scale / movie_scale)
        if edit.media_time == EMPTY and has_begun:
            paused += duration
            starts.append(shown)
            lengths.append(paused)
            continue
        has_begun |= edit.media_time != EMPTY
        shown += duration
        kept.append(edit.entry)
    if starts:
        entries = b"".join(kept)
        head = index[box.body : box.body + 4] + struct.pack(">I", len(kept))
        shorter = struct.pack(">I4s", 8 + len(head) + len(entries), b"elst") + head + entries
        free = box.end - box.start - len(shorter)
        index[box.start : box.end] = shorter + struct.pack(">I4s", free, b"free") + bytes(free - 8)
    return Pauses(starts, lengths)


def edits_of(index: bytearray, box: Box) -> Iterator[Edit]:
    form = ">Qqi" if index[box.body] else ">Iii"
    size = struct.calcsize(form)
    for at in range(box.body + 8, box.end - size + 1, size):
        duration, media_time, _ = struct.unpack_from(form, index, at)
        yield Edit(duration, media_time, bytes(index[at : at + size]))


def time_scale(index: bytearray, header: Box) -> int:
    """Units a second, of an `mvhd` or `mdhd`."""
    at = header.body + (20 if index[header.body] else 12)
    return int(struct.unpack_from(">I", index, at)[0])


def boxes_of(file: BinaryIO) -> Iterator[Box]:
    """The boxes of a file, one behind the other."""
    size = file.seek(0, 2)
    start = 0
    while start + 8 <= size:
        file.seek(start)
        box = box_at(file.read(16), start, 0, size)
        yield box
        start = box.end


def within(index: bytearray, parent: Box, *kinds: bytes) -> Iterator[Box]:
    start = parent.body
    while start + 8 <= parent.end:
        box = box_at(index, start, start, parent.end)
        if box.kind == kinds[0]:
            if kinds[1:]:
                yield from within(index, box, *kinds[1:])
            else:
                yield box
        start = box.end


def box_at(data: bytes | bytearray, start: int, offset: int, end: int) -> Box:
    """The box that begins at `start`, its head at `offset` of the data; size 0 is up to the end."""
    size, kind = struct.unpack_from(">I4s", data, offset)
    head = 8
    if size == 1:
        head, size = 16, struct.unpack_from(">Q", data, offset + 8)[0]
    stop = start + size if size else end
    if stop < start + head:
        raise IndexError("A box is smaller than its head.")
    return Box(kind, start, start + head, min(stop, end))


def whole(index: bytearray) -> Box:
    return box_at(index, 0, 0, len(index))


def only(index: bytearray, parent: Box, *kinds: bytes) -> Box:
    return next(within(index, parent, *kinds))
