"""Edit lists: which parts of a track are shown, and when.

Names and layouts of boxes are those of ISO/IEC 14496-12. Edits last in ticks of the movie and begin
in ticks of the track.
"""

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.errors import DamagedVideo, TooManyFrames
from app.services.video.boxes import Box, within

_INDEX_ENTRIES_A_FRAME = 10


class Pauses(NamedTuple):
    """Empty edits behind the first shown picture.

    starts: when each begins, in ticks of the track and in a time that stops during pauses.
    lengths: how long all of them up to there last, in ticks of the track.
    """

    starts: list[int]
    lengths: list[int]


class Edits:
    """The edit list of a track."""

    def __init__(self, box: Box, track: Box, movie: Box) -> None:
        self._box = box
        self._track = track
        self._movie = movie
        duration, time = (">u8", ">i8") if box.version == 1 else (">u4", ">i4")
        entry = np.dtype([("duration", duration), ("time", time), ("rate", ">u4")])
        count = min(box.number(4), len(box.body[8:]) // entry.itemsize)
        self._entries = np.frombuffer(box.body, entry, count, 8)

    @classmethod
    def of(cls, track: Box, movie: Box) -> "Edits | None":
        for box in within(track.body, b"edts", b"elst"):
            return cls(box, track, movie)
        return None

    def check_length(self, frames: int, max_video_frames: int) -> None:
        """FFmpeg makes a list of all frames for each edit."""
        count = len(self._entries)
        if frames * count > max_video_frames * _INDEX_ENTRIES_A_FRAME:
            raise TooManyFrames(
                f"An edit list of {count} entries over {frames} frames is longer than a limit of "
                f"{max_video_frames} frames allows."
            )

    def check_times(self, frames: int) -> None:
        """Where frames are hidden, the times in the index have to go together.

        An edit list that hides some is as right as one that shows all, but a damaged time hides
        frames as well.

        Raises:
            DamagedVideo: frames are hidden, and the durations of the track, of its media and of
                its frames contradict each other by more than a frame, or two have the same time.
        """
        durations = _expanded(self._track, b"stts", frames)
        shown_at = np.cumsum(durations) - durations
        offsets = _expanded(self._track, b"ctts", len(durations))
        shown_at[: len(offsets)] += offsets
        if not self._hides(shown_at):
            return
        media = int(durations.sum())
        edited = self._in_track_ticks(sum(self._entries["duration"].tolist()))
        track_said = self._in_track_ticks(_duration(self._track, 20, 28, b"tkhd"))
        media_said = _duration(self._track, 16, 24, b"mdia", b"mdhd")
        differences = (
            abs(edited - track_said) if track_said else 0,
            abs(media - media_said) if media_said else 0,
            int(shown_at.max() - shown_at.min()) - media,
        )
        if max(differences) > media // frames or len(np.unique(shown_at)) < len(shown_at):
            raise DamagedVideo("The times in the file's index contradict: the file is damaged.")

    def take_out_pauses(self) -> Pauses:
        """Remove, in place, the empty edits behind the first shown part.

        FFmpeg would show the beginning of the track once more for each.
        """
        empty = self._entries["time"] == -1
        behind = empty & (np.cumsum(~empty) > 0)
        if not behind.any():
            return Pauses([], [])
        time, starts, lengths = 0, [], []
        for pause, duration in zip(behind, self._entries["duration"], strict=True):
            length = self._in_track_ticks(int(duration))
            if pause:
                starts.append(time)
                lengths.append(length)
            else:
                time += length
        self._replace(self._entries[~behind])
        return Pauses(starts, list(accumulate(lengths)))

    def _replace(self, entries: NDArray[np.void]) -> None:
        head = bytes(self._box.body[:4]) + len(entries).to_bytes(4, "big")
        shorter = _box(b"elst", head + entries.tobytes())
        free = len(self._box.whole) - len(shorter)
        self._box.whole[:] = shorter + _box(b"free", bytes(free - 8))

    def _hides(self, shown_at: NDArray[np.int64]) -> bool:
        hidden = np.ones(len(shown_at), bool)
        for duration, time, _ in self._entries.tolist():
            end = min(time + self._in_track_ticks(duration), 2**62)
            hidden &= (shown_at < time) | (shown_at >= end)
        return bool(hidden.any())

    def _in_track_ticks(self, duration: int) -> int:
        """Of so many ticks of the movie; as FFmpeg does, to the nearest, halves up."""
        movie = _ticks_a_second(self._movie, b"mvhd")
        track = _ticks_a_second(self._track, b"mdia", b"mdhd")
        return (2 * duration * track + movie) // (2 * movie)


def _ticks_a_second(parent: Box, *path: bytes) -> int:
    for header in within(parent.body, *path):
        return header.number(20 if header.version == 1 else 12) or 1  # as FFmpeg takes it
    return 1


def _duration(parent: Box, offset: int, wide_offset: int, *path: bytes) -> int:
    """What a header gives, or 0 if that is not known."""
    for header in within(parent.body, *path):
        if header.version == 1:
            duration = (header.number(wide_offset) << 32) + header.number(wide_offset + 4)
            return duration if duration < 2**64 - 1 else 0
        duration = header.number(offset)
        return duration if duration < 2**32 - 1 else 0
    return 0


def _expanded(track: Box, kind: bytes, frames: int) -> NDArray[np.int64]:
    """The numbers that a table gives for each frame, up to so many."""
    for box in within(track.body, b"mdia", b"minf", b"stbl", kind):
        count = min(box.number(4), len(box.body[8:]) // 8)
        entries = box.numbers(8, 2 * count, ">u4" if kind == b"stts" else ">i4").astype(np.int64)
        ends = np.cumsum(entries[::2] % 2**32).clip(max=frames)
        return np.repeat(entries[1::2], np.diff(ends, prepend=0))
    return np.zeros(0, np.int64)


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body
