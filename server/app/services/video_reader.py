"""The frames of an MP4 file as arrays, and the judgement whether the file is whole.

Importing this module loads PyAV and numpy.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer
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
    TooManyFrames,
    TruncatedVideo,
    UnsupportedCodec,
)
from app.services.mp4_boxes import check_top_level

Image: TypeAlias = NDArray[np.uint8]
"""Height x width x 3, C-contiguous, in the order blue, green, red."""


def read_frames(
    path: Path, *, frame_stride: int, max_frame_pixels: int, max_video_frames: int
) -> Generator[tuple[int, Image], None, None]:
    """Yield every `frame_stride`-th frame of the first video track, upright, with its index.

    Indices count decoded frames in the order of presentation. The skipped frames are decoded and
    judged too. Close the iterator to release the file and the decoder's threads.

    Raises a VideoError as soon as the file proves damaged, cut off or beyond a limit; what was
    yielded before is then not to be used.
    """
    check_top_level(path)
    with _open(path) as container:
        stream = _video_stream(container)
        _check_size(stream.codec_context.width, stream.codec_context.height, max_frame_pixels)
        _check_count(stream.frames, max_video_frames)
        to_bgr = VideoReformatter()
        for index, frame in enumerate(_whole_frames(container, stream)):
            _check_size(frame.width, frame.height, max_frame_pixels)
            _check_count(index + 1, max_video_frames)
            if index % frame_stride == 0:
                yield index, _upright_bgr(frame, to_bgr)


def _open(path: Path) -> InputContainer:
    # FFmpeg guesses from the content: unless told the format, a text file can make it play others.
    try:
        return av.open(f"file:{path}", format="mov", options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        raise DamagedVideo(f"the file cannot be opened as an MP4: {error.strerror}") from error


def _video_stream(container: InputContainer) -> VideoStream:
    """The track that players show: the first enabled one, else the first; never the cover art."""
    tracks = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not tracks:
        raise NoVideoTrack("the file has no video track")
    stream = next((s for s in tracks if s.disposition & Disposition.default), tracks[0])
    if stream.codec_context is None:
        raise UnsupportedCodec("the video's codec is not supported")
    stream.thread_type = "AUTO"
    return stream


def _whole_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode to the end, or raise where the first missing or damaged part shows.

    A decoder that works on several frames at once reports no error when packets are missing, and
    one that conceals errors delivers a frame all the same, flagged. So packets are counted against
    the container's index, and flags are looked at.
    """
    packets = decoded = 0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise TruncatedVideo(f"{_progress(decoded, stream)}: the file is truncated")
            packets += packet.size > 0
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise DamagedVideo(f"{_progress(decoded, stream)}: the file is damaged")
                decoded += 1
                yield frame
    except av.FFmpegError as error:
        raise DamagedVideo(f"{_progress(decoded, stream)}: the file is damaged") from error
    if packets < len(stream.index_entries):
        raise TruncatedVideo(f"{_progress(decoded, stream)}: the file is truncated")
    if decoded == 0:
        raise NoFrames("the video track holds no frames")


def _progress(decoded: int, stream: VideoStream) -> str:
    announced = f" of {stream.frames}" if stream.frames else ""  # fragmented files announce none
    return f"decoded {decoded}{announced} frames"


def _check_size(width: int, height: int, max_frame_pixels: int) -> None:
    if width * height > max_frame_pixels:
        raise FrameTooLarge(
            f"a frame of {width} x {height} pixels is larger than the limit of "
            f"{max_frame_pixels} pixels"
        )


def _check_count(frames: int, max_video_frames: int) -> None:
    if frames > max_video_frames:
        raise TooManyFrames(
            f"the video has at least {frames} frames, more than the limit of {max_video_frames}"
        )


def _upright_bgr(frame: VideoFrame, to_bgr: VideoReformatter) -> Image:
    image = to_bgr.reformat(frame, format="bgr24", threads=1).to_ndarray()
    if frame.rotation:
        image = np.rot90(image, round(frame.rotation / 90))
    return np.ascontiguousarray(image, np.uint8)
