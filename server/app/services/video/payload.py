"""What a pipeline is called with."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from app.services.video.picture import Image, Size
    from app.services.video.reader import Frame

JPEG_QUALITY = 95


class FramePayload(Mapping[str, Any]):
    """One frame of a video.

    frame_index: the frame's number in the video, from 0.
    timestamp: seconds from the start of the presentation, as players count them: edit lists and
        variable rates are followed.
    frame: height x width x 3 array of uint8, C-contiguous, in the order blue, green, red; converted
        when first asked for.
    image_bytes: the same frame as a JPEG of quality 95, encoded when first asked for.
    """

    _keys: tuple[Literal["frame_index", "timestamp", "frame", "image_bytes"], ...] = (
        "frame_index",
        "timestamp",
        "frame",
        "image_bytes",
    )

    def __init__(self, frame_index: int, frame: "Frame | Image", timestamp: float) -> None:
        self.frame_index = frame_index
        self.timestamp = timestamp
        self._given: Any = frame

    @cached_property
    def digest(self) -> bytes:
        """What is equal for frames of a video that look the same, see `Frame`."""
        digest: bytes = self._given.digest
        return digest

    @cached_property
    def frame(self) -> "Image":
        image: Image = getattr(self._given, "image", self._given)
        return image

    @property
    def size(self) -> "Size":
        """Width and height of `frame`, in pixels, without converting it."""
        if hasattr(self._given, "shape"):
            height, width, _ = self._given.shape
            return width, height
        size: Size = self._given.size
        return size

    def resized(self, width: int, height: int) -> "Image":
        """`frame` at another size, whatever its proportions, at the cost of that size: it is made
        of the decoded picture, and `frame` is not converted for it."""
        from app.services.video.picture import resized

        if hasattr(self._given, "resized"):
            image: Image = self._given.resized(width, height)
            return image
        return resized(self._given, width, height)

    @cached_property
    def image_bytes(self) -> bytes:
        import simplejpeg

        jpeg: bytes = simplejpeg.encode_jpeg(
            self.frame, quality=JPEG_QUALITY, colorspace="BGR", colorsubsampling="420"
        )
        return jpeg

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
