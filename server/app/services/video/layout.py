"""The structure of an MP4 file as a whole: what it announces, and whether that is there.

Names and layouts of boxes are those of ISO/IEC 14496-12. What a file announces is judged here,
before FFmpeg sees it: FFmpeg allocates by it, and an index of 3 KB can announce a hundred million
frames. And an index that lists what lies beyond the file's end tells that the end is missing,
however the rest decodes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import SEEK_END, SEEK_SET
from typing import BinaryIO, NamedTuple

import numpy as np

from app.core.errors import (
    DamagedVideo,
    NotAnMp4,
    NoVideoTrack,
    TooManyFrames,
    TruncatedVideo,
    VideoError,
)
from app.services.video import track as tracks
from app.services.video.boxes import Box, children, name, parse_header, within
from app.services.video.edits import Edits, Pauses
from app.services.video.track import Samples, check_count

_INDEX_BYTES_A_FRAME = 64
_INDEX_BYTES_BESIDE = 16 * 2**20
_A_HEADER_COUNTED_TWICE = 16  # by how much the size of a whole moov box may be too large


@dataclass(frozen=True)
class Track:
    """What the boxes of a file announce of one video track.

    frames: how many it has, in the index and in fragments.
    codecs: the kinds of the sample descriptions that the index uses.
    edited: whether it has an edit list.
    pauses: what was taken out of that list.
    """

    frames: int
    codecs: frozenset[bytes]
    encrypted: bool
    edited: bool
    pauses: Pauses


@dataclass(frozen=True)
class Layout:
    """What the boxes of a file announce.

    tracks: the video tracks, by their ids.
    fragmented: whether all frames are announced outside of the file's index.
    fragment_gaps: the bytes where fragments begin whose number does not follow that of the one
        before.
    missing_fragments: how many the random access box (mfra) knows beyond those that are there.
    moov_start, moov: the byte where the file's moov box begins, and that box with the tracks of
        video alone; free space keeps its length.
    end: the byte of the file behind all that is needed.
    """

    tracks: Mapping[int, Track]
    fragmented: bool
    fragment_gaps: Sequence[int]
    missing_fragments: int
    moov_start: int
    moov: bytes
    end: int


class VideoOnly:
    """A file opened for reading in which the tracks of video are the only ones."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file = file
        self._size = layout.end
        self._start = layout.moov_start
        self._moov = layout.moov
        file.seek(0)
        self.tell = file.tell

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """As files do, but a damaged index may lead anywhere: -1, not OSError."""
        if whence == SEEK_END:
            offset, whence = self._size + offset, SEEK_SET
        if whence == SEEK_SET and not 0 <= offset <= self._size:
            return -1
        return self._file.seek(offset, whence)

    def read(self, size: int) -> bytes:
        position = self._file.tell()
        content = self._file.read(min(size, max(self._size - position, 0)))
        start = position - self._start
        end = start + len(content)
        first, last = max(start, 0), min(end, len(self._moov))
        if first >= last:
            return content
        return content[: first - start] + self._moov[first:last] + content[last - start :]


class _Extent(NamedTuple):
    """A box of the file: where it begins, and where it says to end.

    fault: why it does not lie whole in the file, if so.
    told: whether it says where it ends.
    """

    kind: bytes
    start: int
    end: int
    fault: VideoError | None = None
    told: bool = True


def inspect(file: BinaryIO, max_video_frames: int) -> Layout:
    """Read what a file announces, and check that it is all there and within the limit.

    Boxes follow each other from the file's first byte, `ftyp` first and `moov` among them. In a
    file without fragments, every sample has to lie in the file; bytes behind its boxes are ignored
    then, and so are wrong ends of boxes that hold nothing else. Fragments are listed nowhere: such
    a file has to consist of whole boxes to its last byte.

    Raises:
        NotAnMp4, TruncatedVideo, DamagedVideo, NoVideoTrack, TooManyFrames
    """
    file_size = file.seek(0, SEEK_END)
    contents = _Contents(file, file_size, max_video_frames)
    for extent in _top_level(file, file_size):
        contents.add(extent)
    if contents.moov is None:
        raise contents.fault or TruncatedVideo(
            "The file ends without its index (moov box): it is truncated, or its recording was "
            "never finished."
        )
    return _layout(contents, contents.moov, file_size, max_video_frames)


class _Contents:
    """What of a file is worth reading, gathered box by box."""

    def __init__(self, file: BinaryIO, file_size: int, max_video_frames: int) -> None:
        self.moov: Box | None = None
        self.moov_start = 0
        self.fragments = _Fragments()
        self.fault: VideoError | None = None
        self.tidy = True
        self._file = file
        self._file_size = file_size
        self._max_video_frames = max_video_frames

    def add(self, extent: _Extent) -> None:
        if extent.kind == b"moov" and self.moov is None:  # players take the first one
            self._add_moov(extent)
        elif extent.kind == b"moof":
            self.fragments.add(self._read(extent), extent.start)
        elif extent.kind == b"mfra":
            self.fragments.promise(self._read(extent))
        elif extent.kind == b"sidx":
            _check_segments(self._read(extent), extent.end, self._file_size)
        self.fault = self.fault or extent.fault
        self.tidy &= extent.told and extent.fault is None

    @property
    def fragmented(self) -> bool:
        """Whether there may be frames that the index does not list."""
        extended = self.moov is not None and any(within(self.moov.body, b"mvex"))
        return extended or self.fragments.count > 0

    def _add_moov(self, extent: _Extent) -> None:
        missing = extent.end - self._file_size
        if extent.fault and missing <= _A_HEADER_COUNTED_TWICE:
            extent = extent._replace(fault=None)
        content = self._read(extent)
        strict = not extent.told or missing > 0
        (self.moov,) = children(memoryview(content))
        list(children(self.moov.body, strict=strict))
        self.moov_start = extent.start

    def _read(self, extent: _Extent) -> bytearray:
        if extent.fault:
            raise extent.fault
        size = extent.end - extent.start
        if size > self._max_video_frames * _INDEX_BYTES_A_FRAME + _INDEX_BYTES_BESIDE:
            raise TooManyFrames(
                f"An index of {size} bytes is larger than a limit of {self._max_video_frames} "
                "frames allows."
            )
        self._file.seek(extent.start)
        return bytearray(self._file.read(size))


def _top_level(file: BinaryIO, file_size: int) -> Iterator[_Extent]:
    """Every box, and last what does not lie whole in the file.

    Raises:
        NotAnMp4: the first one is no ftyp box.
    """
    start = 0
    while start < file_size:
        extent = _extent(file, start, file_size)
        if start == 0 and extent.kind != b"ftyp":
            break
        yield extent
        start = extent.end
    if start == 0:
        raise NotAnMp4("The file is not an MP4 video: it does not begin with an ftyp box.")


def _extent(file: BinaryIO, start: int, file_size: int) -> _Extent:
    file.seek(start)
    header = file.read(16)
    try:
        kind, _, size = parse_header(header)
    except DamagedVideo as error:
        return _Extent(header[4:8], start, file_size, error)
    if not any(kind):
        stray = DamagedVideo(f"From byte {start} on, the file holds zeros: it is damaged.")
        return _Extent(kind, start, file_size, stray)
    if size is None:
        return _Extent(kind, start, file_size, told=False)
    end = start + size
    fault = None
    if end > file_size:
        fault = TruncatedVideo(
            f"{name(kind)} should end at byte {end} and the file ends at byte {file_size}: it is "
            "truncated or damaged."
        )
    return _Extent(kind, start, end, fault)


def _layout(contents: _Contents, moov: Box, file_size: int, max_video_frames: int) -> Layout:
    videos = [box for box in within(moov.body, b"trak") if tracks.is_video(box)]
    if contents.fault and (contents.fragmented or not videos):
        raise contents.fault
    if contents.fragmented and not contents.tidy:
        raise DamagedVideo(
            "The last box does not say where it ends, so fragments may be hidden in it: the file "
            "is damaged."
        )
    if not videos:
        raise NoVideoTrack("The file has no video track.")
    if all(tracks.is_encrypted(box) for box in videos):
        raise tracks.encrypted()
    listed = _listed_samples(contents, moov, file_size, max_video_frames)
    found = {}
    for box, samples in zip(videos, listed, strict=True):
        track_id = tracks.track_id(box)
        in_fragments = contents.fragments.frames[track_id]
        found[track_id] = _track(moov, box, samples.count, in_fragments, max_video_frames)
    needed = max(contents.moov_start + len(moov.whole), *(samples.end for samples in listed))
    return Layout(
        found,
        not any(samples.count for samples in listed),
        contents.fragments.gaps,
        max(contents.fragments.promised - contents.fragments.count, 0),
        contents.moov_start,
        _without_other_tracks(moov),
        file_size if contents.tidy else needed,
    )


def _listed_samples(
    contents: _Contents, moov: Box, file_size: int, max_video_frames: int
) -> list[Samples]:
    """Of the video tracks."""
    listed = []
    try:
        for box in within(moov.body, b"trak"):
            if tracks.is_video(box):
                listed.append(tracks.samples(box, file_size, max_video_frames))
                _check_end(listed[-1].end, file_size)
            elif not contents.tidy:  # what is missing may be of any track
                _check_end(tracks.samples(box, file_size).end, file_size)
    except (DamagedVideo, TruncatedVideo) as error:
        if contents.fault:
            raise contents.fault from error
        raise
    return listed


def _check_end(end_of_samples: int, file_size: int) -> None:
    if end_of_samples > file_size:
        raise TruncatedVideo(
            f"The index lists samples up to byte {end_of_samples} and the file ends at byte "
            f"{file_size}: it is truncated."
        )


def _track(moov: Box, box: Box, in_index: int, in_fragments: int, max_video_frames: int) -> Track:
    check_count(in_index + in_fragments, max_video_frames)
    edits = Edits.of(box, moov)
    pauses = Pauses([], [])
    if edits and in_index:
        edits.check_length(in_index, max_video_frames)
        edits.check_times(in_index)
        pauses = edits.take_out_pauses()
    return Track(
        in_index + in_fragments,
        frozenset(tracks.codecs(box)),
        tracks.is_encrypted(box),
        edits is not None,
        pauses,
    )


class _Fragments:
    """What the fragments of a file announce, one after another."""

    def __init__(self) -> None:
        self.count = 0
        self.promised = 0
        self.frames: Counter[int] = Counter()
        self.gaps: list[int] = []
        self._number: int | None = None

    def add(self, fragment: bytearray, start: int) -> None:
        self.count += 1
        for header in within(fragment, b"moof", b"mfhd"):
            number = header.number(4)
            if self._number is not None and number > self._number + 1:
                self.gaps.append(start)
            self._number = number
        for track in within(fragment, b"moof", b"traf"):
            headers = list(within(track.body, b"tfhd"))
            if not headers:
                raise DamagedVideo("A fragment does not name its track: the file is damaged.")
            runs = within(track.body, b"trun")
            self.frames[headers[0].number(4)] += sum(run.number(4) for run in runs)

    def promise(self, random_access: bytearray) -> None:
        """Note how many fragments the random access box (mfra) knows."""
        for table in within(random_access, b"mfra", b"tfra"):
            words = 2 if table.version == 1 else 1  # of a time, and of an offset
            numbers = sum(table.number(8) >> shift & 3 for shift in (0, 2, 4)) + 3  # bytes
            count = min(table.number(12), len(table.body[16:]) // (8 * words + numbers))
            fields = [
                ("time", f"V{4 * words}"),
                ("offset", f">u{4 * words}"),
                ("rest", f"V{numbers}"),
            ]
            entry = np.dtype(fields)
            offsets = np.frombuffer(table.body, entry, count, 16)["offset"]
            self.promised = max(self.promised, len(np.unique(offsets)))


def _check_segments(segment_index: bytearray, start: int, file_size: int) -> None:
    """A segment index gives the sizes of what follows it, each in the lower 31 of 32 bits."""
    for index in within(segment_index, b"sidx"):
        wide = index.version == 1  # time and offset of 64 bits each
        offset = index.number(24) + (index.number(20) << 32) if wide else index.number(16)
        count = index.number(28 if wide else 20) & 0xFFFF
        references = index.numbers(32 if wide else 24, 3 * count)
        end = start + offset + int((references[::3] & 0x7FFFFFFF).sum(dtype="int64"))
        if end > file_size:
            raise TruncatedVideo(
                f"The file's segments should end at byte {end} and the file ends at byte "
                f"{file_size}: it is truncated."
            )


def _without_other_tracks(moov: Box) -> bytes:
    """The moov box with free space in place of sound, subtitles, cover art and the like."""
    kept = [
        bytes(box.whole)
        for box in children(moov.body)
        if box.kind in (b"mvhd", b"mvex") or (box.kind == b"trak" and tracks.is_video(box))
    ]
    header = bytes(moov.whole[: len(moov.whole) - len(moov.body)])
    free = len(moov.body) - sum(map(len, kept))
    filler = free.to_bytes(4, "big") + b"free" + bytes(free - 8) if free >= 8 else bytes(free)
    return b"".join([header, *kept, filler])
