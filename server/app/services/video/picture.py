"""Decoded frames as players show them: upright, in blue, green and red."""

import logging
import threading
from math import atan2, pi
from typing import Any, TypeAlias

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from app.core.errors import UnsupportedCodec

Image: TypeAlias = NDArray[np.uint8]
"""Height x width x 3, C-contiguous, in the order blue, green, red."""

HD_LINES = 720

# Matrix coefficients and primaries by their numbers in ITU-T H.273.
_BT709, _UNSPECIFIED, _BT601, _BT2020 = 1, 2, 5, 9
_DERIVED_FROM_PRIMARIES = (12, 13)
_MATRIX_OF_PRIMARIES = {1: _BT709, 4: 4, 5: _BT601, 6: _BT601, 7: 7, 9: _BT2020}
_NEAREST = {10: _BT2020, 11: _BT2020, 14: _BT2020}

logger = logging.getLogger(__name__)


class _Reformatters(threading.local):
    """One for each thread: it keeps tables between frames, and lets go of the interpreter."""

    def __init__(self) -> None:
        self.to_bgr = VideoReformatter()


class Converter:
    """Makes images of the frames of one video, on any thread."""

    def __init__(self) -> None:
        self._reformatters = _Reformatters()
        self._has_warned = False

    def upright_bgr(self, frame: VideoFrame) -> Image:
        """The frame as its display matrix says, which may be of another height and width.

        Raises:
            UnsupportedCodec: its pixel format cannot be converted.
        """
        if frame.colorspace == _UNSPECIFIED and not frame.format.is_rgb:
            frame.colorspace = _usual_matrix(frame)
        try:
            image = self._bgr(frame)
        except av.FFmpegError as error:
            raise UnsupportedCodec(f"Frames of {frame.format.name} cannot be converted.") from error
        return np.ascontiguousarray(_upright(image, frame))

    def _bgr(self, frame: VideoFrame) -> Image:
        try:
            return self._converted(frame)
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
            return self._converted(frame)

    def _converted(self, frame: VideoFrame) -> Image:
        bgr = self._reformatters.to_bgr.reformat(frame, format="bgr24", threads=1)
        image = np.asarray(bgr.to_ndarray(), np.uint8)
        # A frame that needs no conversion may be the decoder's own, and be shown again.
        return image.copy() if bgr is frame else image


def _usual_matrix(frame: VideoFrame) -> int:
    """What browsers take where none is named."""
    return _BT709 if frame.height >= HD_LINES else _BT601


def _nearest_matrix(frame: VideoFrame) -> int:
    """Of those that can be converted, the one to take for one that cannot."""
    if frame.colorspace in _DERIVED_FROM_PRIMARIES:
        return _MATRIX_OF_PRIMARIES.get(frame.color_primaries, _usual_matrix(frame))
    return _NEAREST.get(frame.colorspace, _usual_matrix(frame))


def _upright(image: Image, frame: VideoFrame) -> Image:
    """Turned to the nearest right angle, and mirrored; scale and shear are left out.

    The display matrix of ISO/IEC 14496-12 maps (x, y) to (a x + c y, b x + d y), y downwards.
    """
    matrix = display_matrix(frame)
    if matrix is None:
        return np.rot90(image, round(frame.rotation / 90))
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    if a * d < b * c:
        image = image[::-1]
    return np.rot90(image, -round(atan2(b, a) / (pi / 2)))


def display_matrix(frame: VideoFrame) -> Any:
    """None where there is none, and beside data that PyAV has no name for."""
    try:
        # As `frame.side_data` it would hold the frame, and the frame it, until the collector comes.
        return SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    except ValueError:
        return None
