"""The structure of an MP4 file: boxes, one after another and inside each other.

Names and layouts of boxes are those of ISO/IEC 14496-12. What a file announces is judged here,
before FFmpeg sees it: FFmpeg allocates by it, and an index of 3 KB can announce a hundred million
frames. And boxes that do not fill the file tell that its end is missing, however it decodes.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import SEEK_END, SEEK_SET
from sys import byteorder
from typing import BinaryIO, NamedTuple

from app.core.errors import (
    DamagedVideo,
    NotAnMp4,
    NoVideoTrack,
    TooManyFrames,
    TruncatedVideo,
)

_INDEX_BYTES_A_FRAME = 64
_INDEX_BYTES_BESIDE = 16 * 2**20
_INDEX_ENTRIES_A_FRAME = 10


class _Box(NamedTuple):
    kind: bytes
    body: memoryview
    whole: memoryview


@dataclass(frozen=True)
class Layout:
    """What the boxes of a file announce.

    frames: how many frames each video track has, by the track's id.
    fragmented: whether all of them are announced outside of the file's index.
    gaps: where the fragments begin whose number does not follow that of the one before.
    index_start, index: where the file's moov box begins, and the box with the tracks of video
        alone; free space keeps its length.
    """

    frames: dict[int, int]
    fragmented: bool
    gaps: Sequence[int]
    index_start: int
    index: bytes


class VideoOnly:
    """A file opened for reading in which the tracks of video are the only ones."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._size = file.seek(0, SEEK_END)
        self._start = layout.index_start
        self._index = layout.index
        file.seek(0)
        self.tell = file.tell

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """As files do, but a damaged index may lead anywhere: -1, not OSError."""
        if whence == SEEK_SET and not 0 <= offset <= self._size:
            return -1
        return self._file.seek(offset, whence)

    def read(self, size: int) -> bytes:
        start = self._file.tell() - self._start
        content = self._file.read(size)
        end = start + len(content)
        first, last = max(start, 0), min(end, len(self._index))
        if first >= last:
            return content
        return content[: first - start] + self._index[first:last] + content[last - start :]


def inspect(file: BinaryIO, max_video_frames: int) -> Layout:
    """Read what a file announces, and check that it is all there and within the limit.

    The boxes have to fill the file to its last byte, `ftyp` first and `moov` among them.

    Raises NotAnMp4, TruncatedVideo, DamagedVideo, NoVideoTrack or TooManyFrames.
    """
    index, index_start = b"", 0
    fragments = _Fragments()
    file_size = file.seek(0, SEEK_END)
    for kind, start, end in _top_level(file, file_size):
        if kind == b"moov" and not index:  # players take the first one
            _check_index_size(end - start, max_video_frames)
            index, index_start = _read(file, start, end), start
        elif kind == b"moof":
            _check_index_size(end - start, max_video_frames)
            fragments.add(_read(file, start, end), start)
        elif kind == b"sidx":
            _check_index_size(end - start, max_video_frames)
            _check_segments(_read(file, start, end), end, file_size)
    if not index:
        raise TruncatedVideo(
            "The file ends without its index (moov box): it is truncated, or its recording was "
            "never finished."
        )
    tracks = [box for box in _within(index, b"moov", b"trak") if _is_video(box)]
    if not tracks:
        raise NoVideoTrack("The file has no video track.")
    frames = {
        _track_id(track): _frames_of_track(track, file_size, max_video_frames) for track in tracks
    }
    fragmented = not any(frames.values())
    for track_id in frames:
        frames[track_id] += fragments.frames[track_id]
        check_count(frames[track_id], max_video_frames)
    return Layout(frames, fragmented, fragments.gaps, index_start, _without_other_tracks(index))


def check_count(frames: int, max_video_frames: int) -> None:
    if frames > max_video_frames:
        raise TooManyFrames(
            f"The video has {frames} frames or more, the limit is {max_video_frames}."
        )


def _top_level(file: BinaryIO, file_size: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each box."""
    start = 0
    while start < file_size:
        kind, _, size = _parse_header(_read(file, start, start + 16), file_size - start)
        if start == 0 and kind != b"ftyp":
            break
        if start + size > file_size:
            raise TruncatedVideo(
                f"The {kind.decode('ascii', 'replace')} box should end at byte {start + size} and "
                f"the file ends at byte {file_size}: it is truncated or damaged."
            )
        yield kind, start, start + size
        start += size
    if start == 0:
        raise NotAnMp4("The file is not an MP4 video: it does not begin with an ftyp box.")


def _parse_header(header: bytes | memoryview, room: int) -> tuple[bytes, int, int]:
    """Kind, header size and size of a box that has `room` bytes until its parent ends."""
    size, kind, header_size = int.from_bytes(header[:4], "big"), bytes(header[4:8]), 8
    if size == 1:
        size, header_size = int.from_bytes(header[8:16], "big"), 16
    elif size == 0:
        size = room
    if size < header_size or len(header) < header_size:
        raise DamagedVideo("A box in the file has no valid size: the file is truncated or damaged.")
    return kind, header_size, size


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _children(parent: memoryview) -> Iterator[_Box]:
    start = 0
    while len(parent) - start >= 8:  # a few stray bytes do no harm
        rest = parent[start:]
        kind, header_size, size = _parse_header(rest[:16], len(rest))
        if size > len(rest):
            raise DamagedVideo("A box in the file's index is cut off: the file is damaged.")
        yield _Box(kind, rest[header_size:size], rest[:size])
        start += size


def _within(content: bytes | memoryview, *path: bytes) -> Iterator[_Box]:
    """All boxes at that path of kinds."""
    for box in _children(memoryview(content)):
        if box.kind == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from _within(box.body, *path[1:])


def _number(box: _Box, offset: int) -> int:
    """The 32-bit number at that offset in the body."""
    return _numbers(box, offset, 1)[0]


def _numbers(box: _Box, offset: int, count: int) -> Sequence[int]:
    field = box.body[offset : offset + 4 * count]
    if len(field) < 4 * count:
        raise DamagedVideo(
            f"The {box.kind.decode('ascii', 'replace')} box is too short: the file is damaged."
        )
    numbers = array("I")
    numbers.frombytes(field)
    if byteorder == "little":
        numbers.byteswap()
    return numbers


def _is_video(track: _Box) -> bool:
    handlers = _within(track.body, b"mdia", b"hdlr")
    return any(bytes(handler.body[8:12]) == b"vide" for handler in handlers)


def _track_id(track: _Box) -> int:
    for header in _within(track.body, b"tkhd"):
        version = _number(header, 0) >> 24
        return _number(header, 20 if version == 1 else 12)  # times of 64 bits come before it
    return 0


def _frames_of_track(track: _Box, file_size: int, max_video_frames: int) -> int:
    """How many frames the tables of the index announce; checks that they go together."""
    frames = largest = 0
    for table in _within(track.body, b"mdia", b"minf", b"stbl"):
        for sizes in _within(table.body, b"stsz"):
            same_size, count = _number(sizes, 4), _number(sizes, 8)
            check_count(count, max_video_frames)
            frames += count
            largest = same_size or max(_numbers(sizes, 12, count), default=0)
        frames += sum(_number(compact_sizes, 8) for compact_sizes in _within(table.body, b"stz2"))
        if largest > file_size or _frames_in_chunks(table) < frames:
            raise DamagedVideo("The tables of the file's index contradict: the file is damaged.")
    edits = sum(_number(box, 4) for box in _within(track.body, b"edts", b"elst"))
    if frames * edits > max_video_frames * _INDEX_ENTRIES_A_FRAME:
        raise TooManyFrames(
            f"An edit list of {edits} entries over {frames} frames is longer than a limit of "
            f"{max_video_frames} frames allows."
        )
    return frames


def _frames_in_chunks(table: _Box) -> int:
    """Frames lie in chunks; each entry of stsc says how many do so from its first chunk on."""
    offsets = [*_within(table.body, b"stco"), *_within(table.body, b"co64")]
    chunks = sum(_number(box, 4) for box in offsets)
    frames = 0
    for runs in _within(table.body, b"stsc"):
        entries = _numbers(runs, 8, 3 * _number(runs, 4))
        starts, frames_each = entries[::3], entries[1::3]
        ends = [*starts[1:], chunks + 1]
        for start, end, each in zip(starts, ends, frames_each, strict=False):
            frames += (end - start) * each
    return frames


class _Fragments:
    """What the fragments of a file announce, one after another."""

    def __init__(self) -> None:
        self.frames: Counter[int] = Counter()
        self.gaps: list[int] = []
        self._number: int | None = None

    def add(self, fragment: bytes, start: int) -> None:
        for header in _within(fragment, b"moof", b"mfhd"):
            number = _number(header, 4)
            if self._number is not None and number > self._number + 1:
                self.gaps.append(start)
            self._number = number
        for track in _within(fragment, b"moof", b"traf"):
            for header in _within(track.body, b"tfhd"):
                runs = _within(track.body, b"trun")
                self.frames[_number(header, 4)] += sum(_number(run, 4) for run in runs)


def _check_segments(segment_index: bytes, start: int, file_size: int) -> None:
    """A segment index gives the sizes of what follows it, each in the lower 31 of 32 bits."""
    for index in _within(segment_index, b"sidx"):
        wide = _number(index, 0) >> 24  # version 1: time and offset of 64 bits each
        offset = _number(index, 24) + (_number(index, 20) << 32) if wide else _number(index, 16)
        count = _number(index, 28 if wide else 20) & 0xFFFF
        references = _numbers(index, 32 if wide else 24, 3 * count)
        end = start + offset + sum(size & 0x7FFFFFFF for size in references[::3])
        if end > file_size:
            raise TruncatedVideo(
                f"The file's segments should end at byte {end} and the file ends at byte "
                f"{file_size}: it is truncated."
            )


def _check_index_size(size: int, max_video_frames: int) -> None:
    if size > max_video_frames * _INDEX_BYTES_A_FRAME + _INDEX_BYTES_BESIDE:
        raise TooManyFrames(
            f"An index of {size} bytes is larger than a limit of {max_video_frames} frames allows."
        )


def _without_other_tracks(index: bytes) -> bytes:
    """The moov box with free space in place of sound, subtitles, cover art and the like."""
    (moov,) = _children(memoryview(index))
    kept = [
        box.whole
        for box in _children(moov.body)
        if box.kind in (b"mvhd", b"mvex") or (box.kind == b"trak" and _is_video(box))
    ]
    header = moov.whole[: len(moov.whole) - len(moov.body)]
    free = len(moov.body) - sum(map(len, kept))
    filler = free.to_bytes(4, "big") + b"free" + bytes(free - 8) if free >= 8 else bytes(free)
    return b"".join([header, *kept, filler])
