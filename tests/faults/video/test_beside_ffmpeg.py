"""The same frames as the ffmpeg command line, to within the difference of two versions."""

import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.services.video.picture import Image
from app.services.video.reader import read_frames
from tests.clips import (
    box,
    encode_beside,
    encode_clip,
    index_first,
    numbers,
    packet_ranges,
    sound,
    splice,
    textured_frames,
    with_edits,
    with_matrix,
    without_fragment,
    zero,
)

FRAMES = 24
MEAN_DIFFERENCE = 1.5  # of a sample, between the versions of FFmpeg that PyAV and Debian carry
CODECS = {
    "h264": ("libx264", {"bf": "2", "g": "8"}),
    "hevc": ("libx265", {"x265-params": "log-level=none:keyint=8"}),
    "mpeg4": ("mpeg4", {"bf": "2", "g": "8"}),
}
ORIENTATIONS = [
    *((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)),
    *((-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)),
]
LAYOUTS = {
    "index first": "faststart",
    "fragments": "frag_keyframe+empty_moov",
    "fragments of a frame": "frag_every_frame+empty_moov+default_base_moof",
    "segments": "cmaf+frag_keyframe+global_sidx",
    "segments of a manifest": "dash+frag_keyframe+empty_moov+global_sidx",
}
EDITS = {
    "late": [(200, -1), (960, 1024)],
    "from a keyframe": [(640, 1024 + 8 * 512)],
    "from within": [(400, 1024 + 3 * 512)],
    "up to the middle": [(400, 1024)],
    "joined": [(200, 1024), (200, 1024 + 12 * 512)],
    "twice": [(400, 1024), (400, 1024)],
    "out of order": [(200, 1024 + 12 * 512), (200, 1024)],
}
PIXELS = {
    "ten bits": ("libx264", "yuv420p10le"),
    "ten bits of hevc": ("libx265", "yuv420p10le"),
    "all colours": ("libx264", "yuv444p"),
    "half the colours": ("libx264", "yuv422p"),
    "grey": ("libx264", "gray"),
    "ten bits of av1": ("libsvtav1", "yuv420p10le"),
    "vp9": ("libvpx-vp9", "yuv420p"),
    "mjpeg": ("mjpeg", "yuvj420p"),
    "mpeg2": ("mpeg2video", "yuv420p"),
    "png": ("png", "rgb24"),
}
SIZES = [(96, 128), (98, 130), (34, 50), (66, 258), (270, 482), (720, 1280), (1080, 60)]
TAILS = [b"\n", bytes(300), b"\xff" * 300, numbers(900) + b"free", b"\0\0\0\x12" + b"\x9a\1" * 50]
INJURIES: dict[str, Callable[[Path], bytes]] = {
    "cut": lambda path: path.read_bytes()[:-2000],
    "one frame zeroed": lambda path: zero(path.read_bytes(), packet_ranges(path)[11:12]),
    "the first zeroed": lambda path: zero(path.read_bytes(), packet_ranges(path)[:1]),
    "the last zeroed": lambda path: zero(path.read_bytes(), packet_ranges(path)[-1:]),
}

pytestmark = pytest.mark.needs("ffmpeg")


def clip(
    path: Path, codec: str = "h264", movflags: str = "", size: tuple[int, int] = (96, 128)
) -> Path:
    encoder, options = CODECS[codec]
    return encode_clip(
        path,
        textured_frames(FRAMES, *size),
        codec=encoder,
        codec_options=options,
        container_options={"movflags": movflags} if movflags else {},
    )


def ours(path: Path) -> Iterator[Image]:
    limits = {
        "max_frame_pixels": DEFAULT_MAX_FRAME_PIXELS,
        "max_video_frames": DEFAULT_MAX_VIDEO_FRAMES,
    }
    for frame in read_frames(path, frame_stride=1, **limits):
        yield frame.image


def theirs(path: Path, shape: tuple[int, ...], *, hd: bool) -> Iterator[Image]:
    """Untagged HD, which ffmpeg converts by BT.601, is to be converted as browsers do."""
    matrix = ":in_color_matrix=bt709" if hd else ""
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-map", "0:v:0"]
    command += ["-vf", f"scale=flags=bilinear{matrix}"]  # as PyAV scales what colours lack
    command += ["-fps_mode", "passthrough", "-pix_fmt", "bgr24", "-f", "rawvideo", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    return iter(np.frombuffer(done.stdout, np.uint8).reshape(-1, *shape))


def compare(path: Path, frames: int | None = FRAMES, *, hd: bool = False) -> None:
    count = 0
    expected: Iterator[Image] = iter(())
    for image in ours(path):
        if count == 0:
            expected = theirs(path, image.shape, hd=hd)
        difference = np.abs(image.astype(int) - next(expected)).mean()
        assert difference < MEAN_DIFFERENCE, f"frame {count} differs"
        count += 1
    assert next(expected, None) is None, "ffmpeg gives more frames"
    assert frames is None or count == frames


@pytest.mark.parametrize("matrix", ORIENTATIONS)
@pytest.mark.parametrize("codec", CODECS)
def test_orientations(tmp_path: Path, codec: str, matrix: tuple[int, int, int, int]) -> None:
    path = clip(tmp_path / "clip.mp4", codec)
    path.write_bytes(with_matrix(path.read_bytes(), *matrix))

    compare(path)


@pytest.mark.parametrize("name", EDITS)
def test_edit_lists(tmp_path: Path, name: str) -> None:
    path = clip(tmp_path / "clip.mp4")
    path.write_bytes(with_edits(path.read_bytes(), *EDITS[name]))

    compare(path, None)


@pytest.mark.parametrize("pause", [40, 1000])
def test_a_gap_in_an_edit_list_doubles_nothing(tmp_path: Path, pause: int) -> None:
    """Beside the list without it, since ffmpeg does double."""
    path = clip(tmp_path / "clip.mp4")
    data = path.read_bytes()
    parts = [(200, 1024), (200, 1024 + 12 * 512)]
    path.write_bytes(with_edits(data, *parts))
    without = list(ours(path))
    path.write_bytes(with_edits(data, parts[0], (pause, -1), parts[1]))

    assert np.array_equal(list(ours(path)), without)
    assert len(without) == 10


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_layouts(tmp_path: Path, codec: str, name: str) -> None:
    compare(clip(tmp_path / "clip.mp4", codec, LAYOUTS[name]))


@pytest.mark.parametrize("name", PIXELS)
def test_pixels(tmp_path: Path, name: str) -> None:
    codec, pix_fmt = PIXELS[name]
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = tmp_path / "clip.mp4"
    compare(encode_clip(path, gradients(), codec=codec, pix_fmt=pix_fmt, codec_options=quiet))


def gradients() -> list[Image]:
    """Soft colours: how the versions place the samples of colour makes no difference in them."""
    rows, columns = np.mgrid[:96, :128]
    return [
        np.stack([rows + n, columns, 200 - rows // 2 - columns // 2], axis=2).astype(np.uint8)
        for n in range(FRAMES)
    ]


@pytest.mark.parametrize("size", SIZES)
def test_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    compare(clip(tmp_path / "clip.mp4", size=size), hd=size[0] >= 720)


@pytest.mark.parametrize("number", range(len(TAILS)))
def test_tails(tmp_path: Path, number: int) -> None:
    path = clip(tmp_path / "clip.mp4")
    path.write_bytes(index_first(path.read_bytes()) + TAILS[number])

    compare(path)


def test_a_variable_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, image in enumerate(textured_frames(FRAMES)):
            frame = VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number**3, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    compare(path)


def test_joined_clips(tmp_path: Path) -> None:
    parts = [clip(tmp_path / f"{number}.mp4") for number in range(3)]

    compare(splice(tmp_path / "clip.mp4", parts), 3 * FRAMES)


def test_beside_sound(tmp_path: Path) -> None:
    compare(encode_beside(tmp_path / "clip.mp4", FRAMES, sound))


@pytest.mark.parametrize("name", INJURIES)
@pytest.mark.parametrize("codec", CODECS)
def test_injuries(tmp_path: Path, codec: str, name: str) -> None:
    """Where ffmpeg may give fewer frames or concealed ones, and ends well."""
    path = clip(tmp_path / "clip.mp4", codec)
    path.write_bytes(INJURIES[name](path))

    with pytest.raises(ValueError, match=r"damaged|truncated"):
        list(ours(path))


def test_a_lost_fragment(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", movflags=LAYOUTS["fragments"])
    path.write_bytes(without_fragment(path.read_bytes(), 1, keep_media=False))

    with pytest.raises(ValueError, match=r"damaged|truncated"):
        list(ours(path))


def test_free_space_between_boxes(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes() + box(b"free", bytes(100)) + box(b"what", bytes(9)))

    compare(path)
