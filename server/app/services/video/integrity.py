"""The judgement whether a video is whole, from what goes into its decoder and what comes out."""

from bisect import bisect
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from app.core.errors import DamagedVideo, NoFrames, TruncatedVideo
from app.services.video.hevc import SkippedPictures
from app.services.video.layout import Layout, Track


class IntegrityChecker:
    """Tells whether a video is whole.

    Errors are not enough. A decoder that works on several frames at once reports none when packets
    are missing, so they are counted against the container's index. One that conceals errors
    delivers the frame all the same, flagged. And some drop pictures without a word, so those are
    counted too, in formats where every packet holds one. In other formats, packets without one can
    be right (skipped frames of MPEG-4, hidden ones of VP8): there the decoder works on one frame at
    a time, and reports what it cannot read.

    An H.264 video may begin at a picture that refers to no other, without saying that a decoder
    may start there. FFmpeg then flags what follows, up to the first picture that says so, though
    nothing is damaged: until then, errors alone are damage. Where it does say so, the flagged
    pictures in front are those that refer to what was cut away, and players leave them out.
    """

    _ONE_PICTURE_A_PACKET = frozenset(
        {"av1", "h264", "hevc", "jpeg2000", "mjpeg", "mpeg1video", "mpeg2video", "png", "vp9"}
    )
    _LARGEST_PICTURE_BUFFER = 16  # of HEVC, in pictures
    _SKIPS_AT_THE_START = frozenset({"mpeg1video", "mpeg2video"})

    def __init__(self, stream: VideoStream, layout: Layout, track: Track) -> None:
        codec = stream.codec_context.codec.canonical_name
        self._announced = track.frames
        self._edits_hide = track.edited and not layout.fragmented  # of fragments, FFmpeg hides none
        self._index = stream.index_entries
        self._fragment_gaps = layout.fragment_gaps
        self._missing_fragments = layout.missing_fragments
        self._counts_pictures = codec in self._ONE_PICTURE_A_PACKET
        self._skips_at_the_start = codec in self._SKIPS_AT_THE_START
        self._hevc = SkippedPictures(stream.codec_context.extradata) if codec == "hevc" else None
        self.thread_type: Literal["AUTO", "SLICE"] = "AUTO" if self._counts_pictures else "SLICE"
        self._has_started = codec != "h264"
        self._first_pts: int | None = None
        self._held: list[VideoFrame] = []
        self._interlaced = False
        self._packets = 0
        self._gaps_passed = 0
        self._next_dts: int | None = None
        self._due: list[int] = []
        self._dispensable: set[int] = set()
        self._shown: list[int | None] = []

    def check_packet(self, packet: "Packet[VideoStream]") -> None:
        if packet.is_corrupt:
            raise self._truncated()
        if packet.size == 0:  # it only flushes the decoder
            return
        if self._packets == 0 and not packet.is_discard:
            self._first_pts = packet.pts
        self._packets += 1
        self._check_gap(packet)
        skipped = self._hevc is not None and self._is_skipped(packet, self._hevc)
        hidden = packet.is_discard and self._edits_hide
        if packet.pts is not None and not skipped and not hidden:
            self._due.append(packet.pts)

    def admit(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Judge a decoded frame, and yield those that are to be shown by now."""
        for shown in [frame] if self._has_started else self._at_the_start(frame):
            if shown.is_corrupt and self._has_started:
                raise self.damaged()
            last = self._shown[-1] if self._shown else None
            if shown.pts is not None and last is not None and shown.pts < last:
                raise DamagedVideo(f"{self._progress()}: time goes backwards, the file is damaged.")
            self._shown.append(shown.pts)
            self._interlaced |= shown.interlaced_frame
            yield shown

    def finish(self) -> None:
        # An edit list can shorten the index of the whole file, but not those of fragments.
        announced = 0 if self._edits_hide else self._announced
        listed = max(len(self._index), announced)
        if self._packets < listed and self._packets < listed - self._empty_packets():
            raise self._truncated()
        if self._missing_fragments:
            raise DamagedVideo(
                f"The random access box (mfra) knows {self._missing_fragments} more fragments than "
                "there are: the file is damaged."
            )
        if self._announced == 0:
            raise NoFrames("The video track holds no frames.")
        if not self._due and not self._shown and self._edits_hide:
            raise NoFrames(f"The edit list shows none of the video's {self._announced} frames.")
        if not self._shown or (self._counts_pictures and self._lacks_pictures()):
            raise self.damaged()

    def damaged(self) -> DamagedVideo:
        return DamagedVideo(f"{self._progress()}: the file is damaged.")

    def _truncated(self) -> TruncatedVideo:
        return TruncatedVideo(f"{self._progress()}: the file is truncated.")

    def _progress(self) -> str:
        decoded = len(self._shown)
        if decoded > self._announced:  # an edit list shows some of them twice
            return f"Decoded {decoded} frames"
        return f"Decoded {decoded} of {self._announced} frames"

    def _at_the_start(self, frame: VideoFrame) -> list[VideoFrame]:
        self._has_started = frame.key_frame
        if self._first_pts is None:
            return [frame]
        if not frame.is_corrupt and not self._held:
            self._first_pts = None
            return [frame]
        if frame.pts is not None and frame.pts < self._first_pts:
            self._held.append(frame)
            return []
        if frame.pts != self._first_pts or frame.pict_type != PictureType.I:
            raise DamagedVideo(
                "The video begins with pictures that refer to others before them, which are "
                "missing: it is damaged."
            )
        held, self._held, self._first_pts = self._held, [], None
        if frame.key_frame:
            left_out = {leading.pts for leading in held}
            self._due = [time for time in self._due if time not in left_out]
            held = []
        return [*held, frame]

    def _is_skipped(self, packet: "Packet[VideoStream]", hevc: SkippedPictures) -> bool:
        skipped = hevc.skips(memoryview(packet))
        if hevc.begins_anew:
            self._dispensable.update(self._due[-self._LARGEST_PICTURE_BUFFER :])
        return skipped

    def _check_gap(self, packet: "Packet[VideoStream]") -> None:
        """Fragments whose numbers leave some out, and whose time does too, are not all there.

        Either alone can be right: a recording has pauses, and the numbers may go to other tracks.
        """
        gaps = bisect(self._fragment_gaps, packet.pos or 0)
        if gaps != self._gaps_passed and self._next_dts is not None and packet.dts is not None:
            missing = packet.dts - self._next_dts
            if missing > 0 and missing >= (packet.duration or 0):
                seconds = float(missing * (packet.time_base or 0))
                raise DamagedVideo(
                    f"Between two fragments, {seconds:.2f} seconds are missing: the file is "
                    "damaged."
                )
        self._gaps_passed = gaps
        if packet.dts is not None:
            self._next_dts = packet.dts + (packet.duration or 0)

    def _empty_packets(self) -> int:
        """How many hold nothing, which means the picture before once more; FFmpeg skips them."""
        return sum(entry.size == 0 for entry in self._index)

    def _lacks_pictures(self) -> bool:
        """Whether packets gave no picture.

        The two fields of an interlaced picture may come in two packets, the second of which gives
        none: but never two in a row.
        """
        due = self._due
        if self._dispensable:
            left_out = self._dispensable.difference(self._shown)
            due = [time for time in due if time not in left_out]
        first = self._shown[0]
        if self._skips_at_the_start:  # what refers to pictures that were cut away
            due = [time for time in due if first is not None and first <= time]
        if not self._interlaced:
            return len(self._shown) < len(due)
        shown = set(self._shown)
        return any(shown.isdisjoint(neighbours) for neighbours in pairwise(due))
