"""The frames of an MP4 file as arrays, and the judgement whether the file is whole.

Importing this module loads PyAV and numpy.
"""

from bisect import bisect
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from app.core.errors import (
    DamagedVideo,
    FrameTooLarge,
    NoFrames,
    NoVideoTrack,
    TruncatedVideo,
    UnsupportedCodec,
)
from app.services.video import boxes

Image: TypeAlias = NDArray[np.uint8]
"""Height x width x 3, C-contiguous, in the order blue, green, red."""


def read_frames(
    path: Path, *, frame_stride: int, max_frame_pixels: int, max_video_frames: int
) -> Generator[tuple[int, Image], None, None]:
    """Yield every `frame_stride`-th frame of the main video track, upright, with its index.

    Indices count decoded frames in the order of presentation. The skipped frames are decoded and
    judged too. Close the iterator to release the file and the decoder's threads.

    Raises a VideoError as soon as the file proves damaged, cut off or beyond a limit; what was
    yielded before is then not to be used.
    """
    with path.open("rb", buffering=0) as file:
        layout = boxes.inspect(file, max_video_frames)
        with _open(boxes.VideoOnly(file, layout), max_frame_pixels) as container:
            stream = _main_stream(container)
            _check_size(stream, max_frame_pixels)
            to_bgr = VideoReformatter()
            checker = _IntegrityChecker(stream, layout)
            for index, frame in enumerate(_decode(container, stream, checker, max_frame_pixels)):
                boxes.check_count(index + 1, max_video_frames)
                if index % frame_stride == 0:
                    yield index, _upright_bgr(frame, to_bgr)


def _open(file: boxes.VideoOnly, max_frame_pixels: int) -> InputContainer:
    # FFmpeg guesses from the content: unless told the format, a text file can make it play others.
    options = _bounded(max_frame_pixels)
    try:
        return av.open(file, "r", format="mov", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise DamagedVideo(f"The file cannot be opened as an MP4: {error.strerror}.") from error


def _bounded(max_frame_pixels: int) -> dict[str, str]:
    """Options that keep a decoder from allocating frames far beyond the limit.

    Decoders count the rows and columns that are cropped off as well, hence the margin.
    """
    return {"max_pixels": str(max_frame_pixels * 9 // 8 + 2**16)}


def _main_stream(container: InputContainer) -> VideoStream:
    """The track that players show: the first enabled one, else the first."""
    tracks = container.streams.video
    if not tracks:
        raise NoVideoTrack("The file has no video track.")
    stream = next((s for s in tracks if s.disposition & Disposition.default), tracks[0])
    if stream.codec_context is None:
        raise UnsupportedCodec("The video's codec is not supported.")
    return stream


def _decode(
    container: InputContainer,
    stream: VideoStream,
    checker: "_IntegrityChecker",
    max_frame_pixels: int,
) -> Iterator[VideoFrame]:
    stream.thread_type = checker.thread_type
    stream.codec_context.options = _bounded(max_frame_pixels)
    try:
        for packet in container.demux(stream):
            checker.check_packet(packet)
            for frame in packet.decode():
                _check_size(frame, max_frame_pixels)
                checker.check_frame(frame)
                yield frame
    except av.FFmpegError as error:
        _check_size(stream, max_frame_pixels)
        if not isinstance(error, av.InvalidDataError) and stream.width == 0:
            # So some decoders leave it when they refuse a size.
            raise FrameTooLarge(
                f"A frame is larger than the limit of {max_frame_pixels} pixels."
            ) from error
        raise checker.damaged() from error
    checker.finish()


class _IntegrityChecker:
    """Tells whether a video is whole, from what comes in and out of its decoder.

    Errors are not enough. A decoder that works on several frames at once reports none when packets
    are missing, so they are counted against the container's index. One that conceals errors
    delivers the frame all the same, flagged. And some drop pictures without a word, so those are
    counted too, in formats where every packet holds one. In other formats, packets without one can
    be right (skipped frames of MPEG-4, hidden ones of VP8): there the decoder works on one frame at
    a time, and reports what it cannot read.
    """

    _ONE_PICTURE_A_PACKET = frozenset(
        {"av1", "h264", "hevc", "jpeg2000", "mjpeg", "mpeg1video", "mpeg2video", "png", "vp9"}
    )

    def __init__(self, stream: VideoStream, layout: boxes.Layout) -> None:
        self._announced = layout.frames.get(stream.id, 0)
        self._fragmented = layout.fragmented
        self._index = stream.index_entries
        self._gaps = layout.gaps
        self._counts_pictures = (
            stream.codec_context.codec.canonical_name in self._ONE_PICTURE_A_PACKET
        )
        self.thread_type: Literal["AUTO", "SLICE"] = "AUTO" if self._counts_pictures else "SLICE"
        self._interlaced = False
        self._packets = 0
        self._decoded = 0
        self._gaps_passed = 0
        self._next_dts: int | None = None
        self._due: list[int] = []
        self._shown: list[int | None] = []

    def check_packet(self, packet: "Packet[VideoStream]") -> None:
        if packet.is_corrupt:
            raise self._truncated()
        if packet.size == 0:  # it only flushes the decoder
            return
        self._packets += 1
        self._check_gap(packet)
        if packet.pts is not None and not packet.is_discard:  # edit lists discard
            self._due.append(packet.pts)

    def check_frame(self, frame: VideoFrame) -> None:
        if frame.is_corrupt:
            raise self.damaged()
        self._shown.append(frame.pts)
        self._decoded += 1
        self._interlaced |= frame.interlaced_frame

    def finish(self) -> None:
        # An edit list can shorten the index of the whole file, but not those of fragments.
        listed = max(len(self._index), self._announced if self._fragmented else 0)
        if self._packets < listed and self._packets < listed - self._empty_packets():
            raise self._truncated()
        if self._packets == 0:
            raise NoFrames("The video track holds no frames.")
        if self._decoded == 0 or (self._counts_pictures and self._lacks_pictures()):
            raise self.damaged()

    def damaged(self) -> DamagedVideo:
        return DamagedVideo(f"{self._progress()}: the file is damaged.")

    def _truncated(self) -> TruncatedVideo:
        return TruncatedVideo(f"{self._progress()}: the file is truncated.")

    def _progress(self) -> str:
        if self._decoded > self._announced:  # an edit list shows some of them twice
            return f"Decoded {self._decoded} frames"
        return f"Decoded {self._decoded} of {self._announced} frames"

    def _check_gap(self, packet: "Packet[VideoStream]") -> None:
        """Fragments whose numbers leave some out, and whose time does too, are not all there.

        Either alone can be right: a recording has pauses, and the numbers may go to other tracks.
        """
        gaps = bisect(self._gaps, packet.pos or 0)
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
        """Whether packets gave no picture; those before the first may need what was cut away.

        The two fields of an interlaced picture may come in two packets, the second of which gives
        none: but never two in a row.
        """
        first = self._shown[0]
        due = [time for time in self._due if first is not None and first <= time]
        if not self._interlaced:
            return self._decoded < len(due)
        shown = set(self._shown)
        return any(shown.isdisjoint(neighbours) for neighbours in pairwise(due))


def _check_size(picture: VideoStream | VideoFrame, max_frame_pixels: int) -> None:
    if picture.width * picture.height > max_frame_pixels:
        raise FrameTooLarge(
            f"A frame of {picture.width} x {picture.height} pixels is larger than the limit of "
            f"{max_frame_pixels} pixels."
        )


def _upright_bgr(frame: VideoFrame, to_bgr: VideoReformatter) -> Image:
    try:
        image = to_bgr.reformat(frame, format="bgr24", threads=1).to_ndarray()
    except av.FFmpegError as error:
        raise UnsupportedCodec(f"Frames of {frame.format.name} cannot be converted.") from error
    if frame.rotation:
        image = np.rot90(image, round(frame.rotation / 90))
    return np.ascontiguousarray(image, np.uint8)
