"""Telling equal pictures by a short value."""

from secrets import token_bytes
from struct import pack

import numpy as np
import xxhash
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from app.services.video.picture import display_matrix

DIGEST_BYTES = 16


def digest_of(frame: VideoFrame) -> bytes:
    """16 bytes that are the same for frames that show the same, and differ otherwise.

    They are of the bytes of the decoded planes that are visible, and of all that decides on what
    these look like: pixel format, size, display matrix, colour tags, whether it is two fields.
    """
    planes = frame.planes
    if any(plane.line_size < 0 for plane in planes):  # PyAV gives the wrong bytes for these
        return token_bytes(DIGEST_BYTES)
    digest = xxhash.xxh3_128(_description(frame))
    for plane, row_bytes in zip(planes, _row_bytes(frame), strict=True):
        digest.update(_visible(plane, row_bytes))
    return digest.digest()


def _description(frame: VideoFrame) -> bytes:
    tags = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    fields = (frame.width, frame.height, frame.rotation, frame.interlaced_frame, *tags)
    return b"|".join(
        [
            frame.format.name.encode(),
            pack(f"<{len(fields)}i", *fields),
            display_matrix(frame) or b"",
        ]
    )


def _row_bytes(frame: VideoFrame) -> list[int]:
    """How many bytes of each plane's rows are visible; at the most, where that cannot be told."""
    kind, planes = frame.format, frame.planes
    visible = [0] * len(planes)
    for component in kind.components:
        visible[component.plane] += -(-component.bits // 8) * component.width
    if len(planes) == 1:
        shares_bytes = kind.chroma_width(frame.width) != frame.width
        visible = [0 if shares_bytes else -(-kind.padded_bits_per_pixel * frame.width // 8)]
    return [
        min(count or plane.line_size, plane.line_size)
        for count, plane in zip(visible, planes, strict=True)
    ]


def _visible(plane: VideoPlane, row_bytes: int) -> memoryview:
    """The plane without what pads its rows, which decoders leave as it was."""
    whole = memoryview(plane)
    if row_bytes == plane.line_size:  # 0 of a palette, which has no rows
        return whole
    rows = np.frombuffer(whole, np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[:, :row_bytes]).data
