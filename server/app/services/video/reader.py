"""The frames of an MP4 file as images.

Importing this module loads PyAV and numpy.
"""

from bisect import bisect
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from app.core.errors import DamagedVideo, FrameTooLarge, NoVideoTrack, UnsupportedCodec
from app.services.video.digest import digest_of
from app.services.video.edits import Pauses
from app.services.video.integrity import IntegrityChecker
from app.services.video.layout import Layout, Track, VideoOnly, inspect
from app.services.video.picture import Converter, Image, Size
from app.services.video.track import check_count, encrypted


@dataclass(frozen=True)
class Frame:
    """index: the frame's number in the video, from 0.

    timestamp: seconds from the start of the presentation, as players count them.
    """

    index: int
    timestamp: float
    _decoded: VideoFrame
    _converter: Converter

    @cached_property
    def digest(self) -> bytes:
        """See `digest_of`. Ask for it before `image`, which changes colour tags."""
        return digest_of(self._decoded)

    @cached_property
    def image(self) -> Image:
        """Upright; may be asked for by any thread.

        Raises:
            UnsupportedCodec: the pixel format cannot be converted.
        """
        return self._converter.upright_bgr(self._decoded)

    @property
    def size(self) -> Size:
        """Width and height of `image`, without making it."""
        return self._converter.upright_size(self._decoded)

    def resized(self, width: int, height: int) -> Image:
        """`image` at another size, without the one of its own; raises as that does."""
        return self._converter.upright_bgr(self._decoded, (width, height))


def read_frames(
    path: Path, *, frame_stride: int, max_frame_pixels: int, max_video_frames: int
) -> Generator[Frame, None, None]:
    """Yield every `frame_stride`-th frame of the main video track.

    Frames are counted as they are shown: decoded, and in the order of presentation. The skipped
    ones are decoded and judged too. Close the iterator to release the file and the decoder's
    threads.

    Raises:
        VideoError: as soon as the file proves damaged, cut off or beyond a limit; what was yielded
            before is then not to be used.
    """
    with path.open("rb", buffering=0) as file:
        layout = inspect(file, max_video_frames)
        with _open(VideoOnly(file, layout), max_frame_pixels) as container:
            stream = _main_stream(container)
            track = _main_track(stream, layout)
            _check_size(stream, max_frame_pixels)
            checker = IntegrityChecker(stream, layout, track)
            converter = Converter()
            for index, frame in enumerate(_decode(container, stream, checker, max_frame_pixels)):
                check_count(index + 1, max_video_frames)
                if index % frame_stride == 0:
                    timestamp = _timestamp(frame, track.pauses)
                    yield Frame(index, timestamp, frame, converter)


def _open(file: VideoOnly, max_frame_pixels: int) -> InputContainer:
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
    return next((s for s in tracks if s.disposition & Disposition.default), tracks[0])


def _main_track(stream: VideoStream, layout: Layout) -> Track:
    track = layout.tracks.get(stream.id)
    if track is None:
        raise DamagedVideo("A track in the file's index has no number: the file is damaged.")
    if track.encrypted:
        raise encrypted()
    if stream.codec_context is None:
        raise UnsupportedCodec("The video's codec is not supported.")
    if len(track.codecs) > 1:
        codecs = ", ".join(kind.decode("ascii", "replace") for kind in sorted(track.codecs))
        raise UnsupportedCodec(f"The video's codec changes midway ({codecs}).")
    return track


def _decode(
    container: InputContainer,
    stream: VideoStream,
    checker: IntegrityChecker,
    max_frame_pixels: int,
) -> Iterator[VideoFrame]:
    stream.thread_type = checker.thread_type
    stream.codec_context.options = _bounded(max_frame_pixels) | {
        "err_detect": "explode",  # or some errors are only logged
        "flags": "+output_corrupt",  # the checker tells what a flag means
    }
    try:
        for packet in container.demux(stream):
            checker.check_packet(packet)
            for frame in packet.decode():
                _check_size(frame, max_frame_pixels)
                yield from checker.admit(frame)
    except av.FFmpegError as error:
        _check_size(stream, max_frame_pixels)
        if not isinstance(error, av.InvalidDataError) and stream.width == 0:
            # So some decoders leave it when they refuse a size.
            raise FrameTooLarge(
                f"A frame is larger than the limit of {max_frame_pixels} pixels."
            ) from error
        raise checker.damaged() from error
    checker.finish()


def _check_size(picture: VideoStream | VideoFrame, max_frame_pixels: int) -> None:
    if picture.width * picture.height > max_frame_pixels:
        raise FrameTooLarge(
            f"A frame of {picture.width} x {picture.height} pixels is larger than the limit of "
            f"{max_frame_pixels} pixels."
        )


def _timestamp(frame: VideoFrame, pauses: Pauses) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    passed = bisect(pauses.starts, frame.pts)
    pause = pauses.lengths[passed - 1] if passed else 0
    return float((frame.pts + pause) * frame.time_base)
