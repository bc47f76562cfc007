"""Decoded frames as players show them: upright, in blue, green and red."""

import logging
import threading
from collections import defaultdict
from math import atan2, pi
from typing import Any, NamedTuple, TypeAlias

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from app.core.errors import UnsupportedCodec

Image: TypeAlias = NDArray[np.uint8]
"""Height x width x 3, C-contiguous, in the order blue, green, red."""
Size: TypeAlias = tuple[int, int]
"""Width and height, in pixels."""

HD_LINES = 720

# Matrix coefficients and primaries by their numbers in ITU-T H.273.
_BT709, _UNSPECIFIED, _BT601, _BT2020 = 1, 2, 5, 9
_DERIVED_FROM_PRIMARIES = (12, 13)
_MATRIX_OF_PRIMARIES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: _BT2020}
_NEAREST = {10: _BT2020, 11: _BT2020, 14: _BT2020}

logger = logging.getLogger(__name__)


class _Reformatters(threading.local):
    """For each thread one for each size: it keeps tables between frames, and lets go of the
    interpreter."""

    def __init__(self) -> None:
        self.to: defaultdict[Size | None, VideoReformatter] = defaultdict(VideoReformatter)


class Converter:
    """Makes images of the frames of one video, on any thread."""

    def __init__(self) -> None:
        self._reformatters = _Reformatters()
        self._has_warned = False

    def upright_bgr(self, frame: VideoFrame, size: Size | None = None) -> Image:
        """The frame as its display matrix says, which may be of another height and width; with
        `size`, scaled to that, each pixel the mean of those that it stands for.

        Raises:
            UnsupportedCodec: its pixel format cannot be converted.
        """
        if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
            frame.colorspace = _usual_matrix(frame)
        turn = _turn(frame)
        if size is not None and turn.quarters % 2:
            size = size[::-1]
        try:
            image = self._bgr(frame, size)
        except av.FFmpegError as error:
            raise UnsupportedCodec(f"Frames of {frame.format.name} cannot be converted.") from error
        return np.ascontiguousarray(turn.of(image))

    @staticmethod
    def upright_size(frame: VideoFrame) -> Size:
        """That of the picture that `upright_bgr` makes of a frame if it is told no other."""
        size = frame.width, frame.height
        return size[::-1] if _turn(frame).quarters % 2 else size

    def _bgr(self, frame: VideoFrame, size: Size | None) -> Image:
        try:
            return self._converted(frame, size)
        except av.FFmpegError:
            nearest = _nearest_matrix(frame)
            if not self._has_warned:
                logger.warning(
                    "Colours of the matrix %d are converted by the matrix %d, numbers of "
                    "ITU-T H.273",
                    frame.colorspace,
                    nearest,
                )
                self._has_warned = True
            frame.colorspace = nearest
            return self._converted(frame, size)

    def _converted(self, frame: VideoFrame, size: Size | None) -> Image:
        width, height = size or (None, None)
        by = Interpolation.AREA if size else None
        bgr = self._reformatters.to[size].reformat(
            frame, width, height, format="bgr24", interpolation=by, threads=1
        )
        image = np.asarray(bgr.to_ndarray(), np.uint8)
        # A frame that needs no conversion may be the decoder's own, and be shown again.
        return image.copy() if bgr is frame else image


def resized(image: Image, width: int, height: int) -> Image:
    """An image as `Converter` scales a frame."""
    return Converter().upright_bgr(VideoFrame.from_ndarray(image, "bgr24"), (width, height))


def _usual_matrix(frame: VideoFrame) -> int:
    """What browsers take where none is named."""
    return _BT709 if frame.height >= HD_LINES else _BT601


def _nearest_matrix(frame: VideoFrame) -> int:
    """Of those that can be converted, the one to take for one that cannot."""
    if frame.colorspace in _DERIVED_FROM_PRIMARIES:
        return _MATRIX_OF_PRIMARIES.get(frame.color_primaries, _usual_matrix(frame))
    return _NEAREST.get(frame.colorspace, _usual_matrix(frame))


class _Turn(NamedTuple):
    """Upside down first if it is mirrored, then by quarters anticlockwise."""

    is_mirrored: bool
    quarters: int

    def of(self, image: Image) -> Image:
        return np.rot90(image[::-1] if self.is_mirrored else image, self.quarters)


def _turn(frame: VideoFrame) -> _Turn:
    """To the nearest right angle; scale and shear are left out.

    The display matrix of ISO/IEC 14496-12 maps (x, y) to (a x + c y, b x + d y), y downwards.
    """
    matrix = display_matrix(frame)
    if matrix is None:
        return _Turn(False, round(frame.rotation / 90))
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    return _Turn(a * d < b * c, -round(atan2(b, a) / (pi / 2)))


def display_matrix(frame: VideoFrame) -> Any:
    """None where there is none, and beside data that PyAV has no name for."""
    try:
        # As `frame.side_data` it would hold the frame, and the frame it, until the collector comes.
        return SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    except ValueError:
        return None
