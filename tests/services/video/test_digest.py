from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from app.services.video.digest import digest_of
from app.services.video.picture import Converter
from app.services.video.reader import read_frames
from tests.clips import encode_clip, textured_frames

HEIGHT, WIDTH = 22, 51  # odd, so that rows are padded
LIMITS = {"frame_stride": 1, "max_frame_pixels": 10**6, "max_video_frames": 100}


BYTES_A_PIXEL = {
    "yuv420p": (1, 1, 1),
    "yuv422p10le": (2, 2, 2),
    "rgb24": (3,),
    "rgba": (4,),
    "gray": (1,),
    "nv12": (1, 2),
}


def filled(pixel_format: str, padding: int, width: int = WIDTH) -> VideoFrame:
    """A frame whose visible bytes count up, and whose rows are padded with that byte."""
    frame = VideoFrame(width, HEIGHT, pixel_format)
    for plane, bytes_a_pixel in zip(frame.planes, BYTES_A_PIXEL[pixel_format], strict=True):
        rows = np.arange(plane.buffer_size).astype(np.uint8).reshape(-1, plane.line_size)
        assert plane.line_size > plane.width * bytes_a_pixel
        rows[:, plane.width * bytes_a_pixel :] = padding
        plane.update(rows.tobytes())
    return frame


@pytest.mark.parametrize("pixel_format", BYTES_A_PIXEL)
def test_what_pads_the_rows_does_not_count(pixel_format: str) -> None:
    assert digest_of(filled(pixel_format, 0)) == digest_of(filled(pixel_format, 0xFF))


@pytest.mark.parametrize("pixel_format", [*BYTES_A_PIXEL, "yuyv422", "rgb565le", "pal8", "monow"])
def test_every_visible_byte_counts(pixel_format: str) -> None:
    """Tried by the pixels that they become, in the first row and in the last."""
    frame = VideoFrame(WIDTH, HEIGHT, pixel_format)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    before, picture = digest_of(frame), frame.to_rgb().to_ndarray()
    for number, plane in enumerate(frame.planes):
        for at in [*range(plane.line_size or 4), *range(-plane.line_size, 0)]:
            content = bytearray(plane.buffer_size)
            content[at] = 0xFF
            frame.planes[number].update(bytes(content))
            if (frame.to_rgb().to_ndarray() != picture).any():
                assert digest_of(frame) != before, (number, at)
        plane.update(bytes(plane.buffer_size))


def test_what_decides_on_the_look_counts() -> None:
    digests = {digest_of(filled("yuv420p", 0))}
    for name, value in (("colorspace", 1), ("color_range", 2), ("color_primaries", 9)):
        frame = filled("yuv420p", 0)
        setattr(frame, name, value)
        digests.add(digest_of(frame))
    digests |= {digest_of(filled("yuv420p", 0, WIDTH + 1)), digest_of(filled("gray", 0))}

    assert len(digests) == 6


def test_equal_pictures_of_a_video_are_told_from_others(tmp_path: Path) -> None:
    one, other = textured_frames(2)
    order = [one, one, other, one, other, other, one]
    clip = encode_clip(tmp_path / "clip.mp4", order, codec_options={"qp": "0"})

    frames = [*read_frames(clip, **LIMITS)]

    names = {frames[0].digest: "one", frames[2].digest: "other"}
    assert [names[frame.digest] for frame in frames] == [
        "one" if image is one else "other" for image in order
    ]


def test_an_image_is_the_pipeline_s_own() -> None:
    """Where nothing is converted, it would be the memory of the decoder."""
    given = textured_frames(1)[0]
    frame = VideoFrame.from_ndarray(given, format="bgr24")

    Converter().upright_bgr(frame)[:] = 0

    assert (frame.to_ndarray() == given).all()


def test_rows_that_are_stored_from_the_bottom_up(tmp_path: Path) -> None:
    """Their planes cannot be read, so each frame counts as another."""
    clip = tmp_path / "raw.mov"
    with av.open(clip, "w", format="mov") as container:
        stream = container.add_stream("rawvideo", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr24"
        for image in [np.full((48, 64, 3), 90, np.uint8)] * 2:
            container.mux(stream.encode(VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    data = clip.read_bytes()
    at = data.index(b"stsd") + 16
    clip.write_bytes(data[:at] + b"WRAW" + data[at + 4 :])
    with av.open(clip) as container:
        frames = [*container.decode(video=0)]
    assert frames[0].planes[0].line_size < 0
    assert digest_of(frames[0]) != digest_of(frames[1])
