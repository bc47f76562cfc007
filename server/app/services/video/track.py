"""What the index of an MP4 file says about one track: its samples and its codec.

Names and layouts of boxes are those of ISO/IEC 14496-12. A track's samples lie in chunks: `stsz`
gives the size of each, `stsc` how many lie in each chunk, `stco` where each chunk begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import DamagedVideo, TooManyFrames, UnsupportedCodec
from app.services.video.boxes import Box, children, within

_ENCRYPTED = frozenset({b"encv", b"drmi"})
_BEFORE_CHILDREN_OF_A_SAMPLE_ENTRY = 78


@dataclass(frozen=True, slots=True)
class Samples:
    """count: how many there are; end: the byte of the file behind the last of them."""

    count: int
    end: int


def is_video(track: Box) -> bool:
    handlers = within(track.body, b"mdia", b"hdlr")
    return any(bytes(handler.body[8:12]) == b"vide" for handler in handlers)


def track_id(track: Box) -> int:
    for header in within(track.body, b"tkhd"):
        return header.number(20 if header.version == 1 else 12)  # times of 64 bits come before it
    return 0


def check_count(frames: int, max_video_frames: int) -> None:
    if frames > max_video_frames:
        raise TooManyFrames(
            f"The video has {frames} frames or more, the limit is {max_video_frames}."
        )


def samples(track: Box, file_size: int, max_count: int | None = None) -> Samples:
    """Follow the tables of a track to where its samples lie.

    Raises:
        DamagedVideo: the tables contradict each other or the size of the file.
        TooManyFrames: they list more than `max_count`.
    """
    for table in within(track.body, b"mdia", b"minf", b"stbl"):
        for box in children(table.body):
            if box.kind in (b"stsz", b"stz2"):
                count = box.number(8)
                if max_count is not None:
                    check_count(count, max_count)
                return Samples(count, _end_of_samples(table, box, count, file_size))
    return Samples(0, 0)


def _end_of_samples(table: Box, size_box: Box, count: int, file_size: int) -> int:
    if count == 0:
        return 0
    sizes = _sample_sizes(size_box, count)
    offsets = _chunk_offsets(table)
    ends = _last_samples(table, len(offsets))
    if sizes.max() > file_size or len(ends) == 0 or ends[-1] < count:
        raise DamagedVideo("The tables of the file's index contradict: the file is damaged.")
    ends = np.minimum(ends, count)
    if len(sizes) == 1:  # all are of one size
        positions = ends * int(sizes[0])
    else:
        positions = np.cumsum(np.insert(sizes, 0, 0), dtype=np.int64)[ends]
    lengths = np.diff(positions, prepend=0)
    return int((offsets + lengths)[lengths > 0].max(initial=0))


def _sample_sizes(box: Box, count: int) -> NDArray[np.integer]:
    """In bytes; one number stands for all samples if they have the same size."""
    if box.kind == b"stsz":
        same_size = box.numbers(4, 1)
        return same_size if same_size[0] else box.numbers(12, count)
    bits = box.number(4) & 0xFF
    if bits == 4:
        pairs = box.numbers(12, (count + 1) // 2, "u1")
        return np.stack([pairs >> 4, pairs & 15], axis=1).ravel()[:count]
    return box.numbers(12, count, ">u2" if bits == 16 else "u1")


def _chunk_offsets(table: Box) -> NDArray[np.int64]:
    for box in children(table.body):
        if box.kind == b"stco":
            return box.numbers(8, box.number(4)).astype(np.int64)
        if box.kind == b"co64":
            offsets = box.numbers(8, box.number(4), ">u8")
            return offsets.clip(max=2**62).astype(np.int64)
    return np.zeros(0, np.int64)


def _runs(table: Box) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First chunk, samples in each chunk and sample description of each entry of stsc."""
    for box in within(table.body, b"stsc"):
        entries = box.numbers(8, 3 * box.number(4)).astype(np.int64)
        return entries[::3], entries[1::3], entries[2::3]
    none = np.zeros(0, np.int64)
    return none, none, none


def _last_samples(table: Box, chunks: int) -> NDArray[np.int64]:
    """How many samples the chunks hold up to each of them."""
    first_chunks, samples_each, _ = _runs(table)
    if len(first_chunks) == 0 or chunks == 0:
        return np.zeros(0, np.int64)
    bounds = np.minimum(np.append(first_chunks, chunks + 1), chunks + 1)
    bounds[0] = 1
    lengths = np.diff(bounds)
    if lengths.min() < 0:
        raise DamagedVideo("The tables of the file's index contradict: the file is damaged.")
    return np.cumsum(np.repeat(samples_each, lengths))


def codecs(track: Box) -> set[bytes]:
    """The kinds of the sample descriptions that samples of the index use."""
    used = set()
    for table in within(track.body, b"mdia", b"minf", b"stbl"):
        kinds = [entry.kind for entry in _sample_entries(table)]
        numbers = np.unique(_runs(table)[2])
        used |= {kinds[number - 1] for number in numbers if 1 <= number <= len(kinds)}
    return used


def is_encrypted(track: Box) -> bool:
    return any(
        entry.kind in _ENCRYPTED or _is_protected(entry)
        for table in within(track.body, b"mdia", b"minf", b"stbl")
        for entry in _sample_entries(table)
    )


def encrypted() -> UnsupportedCodec:
    return UnsupportedCodec("The video is encrypted: it cannot be decoded without its key.")


def _sample_entries(table: Box) -> Iterator[Box]:
    for box in within(table.body, b"stsd"):
        yield from children(box.body[8:])


def _is_protected(entry: Box) -> bool:
    try:
        inside = list(children(entry.body[_BEFORE_CHILDREN_OF_A_SAMPLE_ENTRY:]))
    except DamagedVideo:  # some old codecs have data there that are no boxes
        return False
    return any(box.kind == b"sinf" for box in inside)
