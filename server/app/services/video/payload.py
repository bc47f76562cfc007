"""What a pipeline is called with."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from app.services.video.reader import Image

JPEG_QUALITY = 95


class FramePayload(Mapping[str, Any]):
    """One frame of a video.

    frame_index: the frame's number in the video, from 0.
    frame: height x width x 3 array of uint8, C-contiguous, in the order blue, green, red.
    image_bytes: the same frame as a JPEG of quality 95, encoded when first asked for.
    """

    _keys: tuple[Literal["frame_index", "frame", "image_bytes"], ...] = (
        "frame_index",
        "frame",
        "image_bytes",
    )

    def __init__(self, frame_index: int, frame: "Image") -> None:
        self.frame_index = frame_index
        self.frame = frame

    @cached_property
    def image_bytes(self) -> bytes:
        import simplejpeg

        jpeg: bytes = simplejpeg.encode_jpeg(
            self.frame, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="420"
        )
        return jpeg

    @cached_property
    def digest(self) -> bytes:
        import xxhash

        return xxhash.xxh3_128_digest(self.frame.data)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
