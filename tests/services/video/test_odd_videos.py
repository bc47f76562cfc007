"""Videos that are valid though they are not what most cameras make: none may be refused."""

import gc
import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame
from PIL import Image as Pillow

from app.core.errors import DamagedVideo, NoFrames, UnsupportedCodec
from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.services.video.picture import Image
from app.services.video.reader import Frame, read_frames
from tests.clips import (
    box,
    change_boxes,
    encode_beside,
    encode_clip,
    frame_number,
    index_first,
    numbered_frames,
    numbers,
    packet_ranges,
    remux,
    second_video,
    sound,
    splice,
    textured_frames,
    with_edits,
    with_matrix,
    without_units,
)

FRAMES = 24
MILLISECONDS_A_FRAME = 40
TICKS_A_FRAME = 512
DELAY = 2  # frames, before the first picture where others refer to later ones


def decode(path: Path) -> Iterator[Frame]:
    limits = {
        "max_frame_pixels": DEFAULT_MAX_FRAME_PIXELS,
        "max_video_frames": DEFAULT_MAX_VIDEO_FRAMES,
    }
    return read_frames(path, frame_stride=1, **limits)


def decoded(path: Path) -> list[Frame]:
    return list(decode(path))


def frames_of(path: Path) -> list[Image]:
    return [frame.image for frame in decoded(path)]


def shown(path: Path) -> list[int]:
    return [frame_number(frame) for frame in frames_of(path)]


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "codec_options"),
    [
        ("libx264", "yuv420p", {"bf": "3", "g": "6"}),
        ("libx264", "yuv420p", {"x264-params": "interlaced=1"}),
        ("libx264", "yuv420p", {"x264-params": "open-gop=1:keyint=6:bframes=3"}),
        ("libx264", "yuv420p", {"x264-params": "intra-refresh=1"}),
        ("libx264", "yuv420p10le", {}),
        ("libx264", "yuv444p", {}),
        ("libx265", "yuv420p", {"x265-params": "log-level=none"}),
        ("libx265", "yuv420p10le", {"x265-params": "log-level=none"}),
        ("libsvtav1", "yuv420p", {}),
        ("libsvtav1", "yuv420p10le", {}),
        ("libvpx-vp9", "yuv420p", {}),
        ("mpeg4", "yuv420p", {}),
        ("mpeg4", "yuv420p", {"bf": "2", "qmax": "4"}),
        ("mpeg2video", "yuv420p", {}),
        ("mjpeg", "yuvj420p", {}),
    ],
)
def test_codecs_and_pixel_formats(
    tmp_path: Path, codec: str, pix_fmt: str, codec_options: dict[str, str]
) -> None:
    clip = encode_clip(
        tmp_path / "clip.mp4",
        numbered_frames(FRAMES),
        codec=codec,
        pix_fmt=pix_fmt,
        codec_options=codec_options,
    )
    assert shown(clip) == list(range(FRAMES))


@pytest.mark.parametrize(
    "movflags",
    [
        "faststart",
        "frag_keyframe",
        "frag_keyframe+empty_moov",
        "frag_every_frame+empty_moov+default_base_moof",
        "frag_keyframe+empty_moov+dash+global_sidx",
        "frag_keyframe+separate_moof",
    ],
)
@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_layouts_of_the_file(tmp_path: Path, codec: str, movflags: str) -> None:
    clip = encode_clip(
        tmp_path / "clip.mp4",
        numbered_frames(FRAMES),
        codec=codec,
        codec_options={"g": "6"},
        container_options={"movflags": movflags},
    )
    assert shown(clip) == list(range(FRAMES))


def test_a_box_with_a_size_of_64_bits(tmp_path: Path) -> None:
    data = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes()
    moov = data.index(b"moov") - 4
    clip = tmp_path / "clip.mp4"
    size = len(data) - moov + 8
    clip.write_bytes(data[:moov] + numbers(1) + b"moov" + numbers(0, size) + data[moov + 8 :])

    assert shown(clip) == list(range(FRAMES))


def test_a_last_box_of_unknown_size(tmp_path: Path) -> None:
    data = index_first(encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes())
    mdat = data.index(b"mdat") - 4
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data[:mdat] + numbers(0) + data[mdat + 4 :])

    assert shown(clip) == list(range(FRAMES))


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        pytest.param([(10, FRAMES - 10)], range(10, FRAMES), id="from within a group of pictures"),
        pytest.param([(12, FRAMES - 12)], range(12, FRAMES), id="from a keyframe"),
        pytest.param([(0, 9)], range(9), id="up to the middle"),
        pytest.param([(-1, 5), (0, FRAMES)], range(FRAMES), id="a pause first"),
        pytest.param([(0, 4), (18, 4)], [*range(4), *range(18, 22)], id="two parts"),
        pytest.param([(0, FRAMES)] * 2, [*range(FRAMES)] * 2, id="the same part twice"),
        pytest.param([(0, 4), (-1, 5), (18, 4)], [*range(4), *range(18, 22)], id="a pause"),
        pytest.param([(0, 4), (-1, 5), (4, 20)], range(FRAMES), id="a pause, nothing left out"),
        pytest.param([(0, FRAMES), (-1, 5)], range(FRAMES), id="a pause last"),
        pytest.param(
            [(-1, 1), (0, 4), (-1, 5), (-1, 1), (9, 4), (-1, 2), (4, 2)],
            [*range(4), *range(9, 13), 4, 5],
            id="pauses everywhere",
        ),
    ],
)
def test_edit_lists(tmp_path: Path, edits: list[tuple[int, int]], expected: list[int]) -> None:
    """An edit is its first frame (-1: show nothing) and how many frames it lasts."""
    whole = encode_clip(
        tmp_path / "whole.mp4", numbered_frames(FRAMES), codec_options={"bf": "3", "g": "6"}
    )
    parts = [
        (length * MILLISECONDS_A_FRAME, -1 if first < 0 else (DELAY + first) * TICKS_A_FRAME)
        for first, length in edits
    ]
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(with_edits(whole.read_bytes(), *parts))

    assert shown(clip) == list(expected)


def test_empty_packets(tmp_path: Path) -> None:
    """Some recorders write one where the picture stays the same."""
    data = encode_clip(
        tmp_path / "plain.mp4", numbered_frames(FRAMES), codec_options={"bf": "0"}
    ).read_bytes()
    count = numbers(FRAMES + 1)
    for kind, change in {
        b"stsz": lambda body: body[:8] + count + body[12:40] + bytes(4) + body[40:],
        b"stts": lambda body: body[:8] + count + body[12:],
        b"stsc": lambda body: body[:12] + count + body[16:],
    }.items():
        data = change_boxes(data, kind, change)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data)

    assert shown(clip) == list(range(FRAMES - 1)), "the last one is behind the end"


def test_interlaced_pictures_in_two_packets_each(tmp_path: Path) -> None:
    """Stands for the two fields of a picture: of each pair of packets, one gives a picture."""
    whole = encode_clip(
        tmp_path / "whole.mp4",
        numbered_frames(FRAMES),
        codec="mpeg2video",
        codec_options={"flags": "+ildct+ilme"},
    )
    clip = tmp_path / "clip.mp4"
    with av.open(whole) as source, av.open(clip, "w", format="mp4") as output:
        track = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                assert packet.pts is not None
                assert packet.dts is not None
                second = Packet(b"\0\0\1\xb2 user data")
                second.pts = packet.pts + TICKS_A_FRAME // 2
                second.dts = packet.dts + TICKS_A_FRAME // 2
                second.time_base = packet.time_base
                for part in (packet, second):
                    part.stream = track
                    output.mux(part)

    assert shown(clip) == list(range(FRAMES))


@pytest.mark.parametrize(
    "numbering",
    [
        pytest.param(range(5, 9), id="from the middle of a recording"),
        pytest.param(range(1, 8, 2), id="shared with a track that was taken out"),
        pytest.param([1, 2, 1, 2], id="begun anew"),
    ],
)
def test_numbers_of_fragments(tmp_path: Path, numbering: Sequence[int]) -> None:
    data = bytearray(fragmented(tmp_path).read_bytes())
    for number in numbering:
        header = data.index(b"mfhd\0")
        data[header : header + 12] = b"MFHD" + numbers(0, number)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data.replace(b"MFHD", b"mfhd"))

    assert shown(clip) == list(range(FRAMES))


def test_a_pause_between_fragments(tmp_path: Path) -> None:
    data = bytearray(fragmented(tmp_path).read_bytes())
    last = data.rindex(b"tfdt\1")
    data[last + 8 : last + 16] = numbers(0, 1000 * TICKS_A_FRAME)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data)

    assert shown(clip) == list(range(FRAMES))


def fragmented(folder: Path) -> Path:
    return encode_clip(
        folder / "fragmented.mp4",
        numbered_frames(FRAMES),
        codec_options={"g": "6"},
        container_options={"movflags": "frag_keyframe+empty_moov"},
    )


def test_skipped_frames_of_mpeg4(tmp_path: Path) -> None:
    """A packet that says "not coded" shows nothing new, and is no damage."""
    plain = encode_clip(
        tmp_path / "plain.mp4", numbered_frames(FRAMES), codec="mpeg4", codec_options={"g": "6"}
    )
    data = bytearray(plain.read_bytes())
    skipped = packet_ranges(plain)[15]
    not_coded = b"\0\0\1\xb6" + bytes([0b01_0_1_0011, 0b1_1_0_1_1111])
    data[skipped] = not_coded.ljust(skipped.stop - skipped.start, b"\x7f")
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data)

    assert len(frames_of(clip)) == FRAMES - 1


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
        ((-1.5, 0, 0, 0.5), np.fliplr),
        ((0.1, 0.9, -0.9, 0.3), lambda image: np.rot90(image, -1)),
        ((1, 0, 5, 1), lambda image: image),
    ],
)
def test_orientation(
    tmp_path: Path, matrix: tuple[float, float, float, float], upright: Callable[[Image], Image]
) -> None:
    plain = encode_clip(tmp_path / "plain.mp4", [quarters()], codec_options={"qp": "1"})
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(with_matrix(plain.read_bytes(), *matrix))

    (only,) = decode(clip)

    expected = upright(quarters())
    height, width, _ = expected.shape
    assert only.size == (width, height)
    for step, frame in ((1, only.image), (8, only.resized(width // 8, height // 8))):
        assert frame.shape == (height // step, width // step, 3)
        assert frame.flags.c_contiguous
        assert np.abs(frame.astype(int) - expected[step // 2 :: step, step // 2 :: step]).mean() < 4


def quarters() -> Image:
    """A picture that no turn and no mirror leaves as it is."""
    image = np.zeros((96, 160, 3), np.uint8)
    image[:48, :80], image[:48, 80:], image[48:, :80] = 240, 160, 80
    return image


def test_frames_are_let_go_without_the_collector(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "clip.mp4", numbered_frames(FRAMES))
    gc.collect()
    gc.disable()
    try:
        kept_by_others = frames_in_memory()
        assert sum(frame.image is not None for frame in decode(clip)) == FRAMES
        assert frames_in_memory() - kept_by_others < 5
    finally:
        gc.enable()


def frames_in_memory() -> int:
    return sum(isinstance(kept, VideoFrame) for kept in gc.get_objects())


def test_orientation_beside_data_of_an_unknown_kind(tmp_path: Path) -> None:
    """PyAV has no name for the Exif data of a JPEG, and lists no other then."""
    picture, exif = io.BytesIO(), Pillow.Exif()
    exif[0x010F] = "a camera"
    Pillow.fromarray(quarters()).save(picture, "JPEG", exif=exif.tobytes())
    plain = encode_clip(tmp_path / "plain.mp4", [quarters()], codec="mjpeg", pix_fmt="yuvj420p")
    whole = remux(tmp_path / "whole.mp4", plain, lambda number, content: picture.getvalue())
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(with_matrix(whole.read_bytes(), 0, 1, -1, 0))

    assert [frame.shape for frame in frames_of(clip)] == [(160, 96, 3)]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_size_that_changes_midway(tmp_path: Path, codec: str) -> None:
    repeat = {
        "libx264": {"x264-params": "repeat-headers=1:bframes=3"},
        "libx265": {"x265-params": "repeat-headers=1:log-level=none"},
    }[codec]
    small, large = (
        encode_clip(
            tmp_path / f"{height}.mp4",
            numbered_frames(12, height, width),
            codec=codec,
            codec_options=repeat,
        )
        for height, width in ((96, 128), (192, 160))
    )

    frames = frames_of(splice(tmp_path / "clip.mp4", [small, large, small]))

    assert [frame.shape for frame in frames] == (
        [(96, 128, 3)] * 12 + [(192, 160, 3)] * 12 + [(96, 128, 3)] * 12
    )
    assert [frame_number(frame) for frame in frames] == [*range(12)] * 3


def test_several_tracks(tmp_path: Path) -> None:
    clip = encode_beside(tmp_path / "clip.mp4", FRAMES, second_video, sound)

    frames = frames_of(clip)

    assert [frame_number(frame) for frame in frames] == list(range(FRAMES))
    assert {frame.shape for frame in frames} == {(96, 128, 3)}


def test_of_several_video_tracks_the_enabled_one_is_read(tmp_path: Path) -> None:
    both = encode_beside(tmp_path / "both.mp4", FRAMES, second_video).read_bytes()
    flags = iter([b"\0\0\0\2", b"\0\0\0\3"])  # the lowest bit: enabled
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(change_boxes(both, b"tkhd", lambda body: next(flags) + body[4:]))

    assert {frame.shape for frame in frames_of(clip)} == {(48, 64, 3)}


def with_cover_art(data: bytes) -> bytes:
    picture = io.BytesIO()
    Pillow.new("RGB", (300, 300), "red").save(picture, "JPEG")
    cover = box(b"covr", box(b"data", numbers(13, 0), picture.getvalue()))
    handler = box(b"hdlr", numbers(0, 0), b"mdirappl", bytes(9))
    tags = box(b"udta", box(b"meta", numbers(0), handler, box(b"ilst", cover)))
    return change_boxes(data, b"moov", lambda body: body + tags)


def test_cover_art(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(
        with_cover_art(encode_beside(tmp_path / "plain.mp4", FRAMES, sound).read_bytes())
    )
    with av.open(clip) as container:
        assert len(container.streams.video) == 2, "FFmpeg takes the cover for a video"

    assert shown(clip) == list(range(FRAMES))


def test_tags_in_an_encoding_of_old(tmp_path: Path) -> None:
    data = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes()
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(
        change_boxes(data, b"hdlr", lambda body: body[:24] + "Vidéo".encode("latin-1") + b"\0")
    )
    assert shown(clip) == list(range(FRAMES))


class TestTimestamps:
    """Seconds, as players count them."""

    def times(self, path: Path) -> list[float]:
        return [round(frame.timestamp, 3) for frame in decoded(path)]

    def test_of_a_variable_rate(self, tmp_path: Path) -> None:
        steps = [0, 10, 40, 333, 5000]
        clip = varying(tmp_path / "clip.mp4", [step / 1000 for step in steps])

        assert self.times(clip) == [0, 0.01, 0.05, 0.383, 5.383]

    @pytest.mark.parametrize(
        ("edits", "expected"),
        [
            pytest.param([(160, 8)], [0, 0.04, 0.08, 0.12], id="trimmed"),
            pytest.param([(200, -1), (80, 0)], [0.2, 0.24], id="late"),
            pytest.param([(80, 0), (1000, -1), (80, 6)], [0, 0.04, 1.08, 1.12], id="a pause"),
            pytest.param([(40, 3), (40, 0)], [0, 0.04], id="in another order"),
        ],
    )
    def test_of_edit_lists(
        self, tmp_path: Path, edits: list[tuple[int, int]], expected: list[float]
    ) -> None:
        plain = encode_clip(
            tmp_path / "plain.mp4", numbered_frames(FRAMES), codec_options={"bf": "0", "g": "1"}
        )
        clip = tmp_path / "clip.mp4"
        parts = [(duration, max(first * TICKS_A_FRAME, -1)) for duration, first in edits]
        clip.write_bytes(with_edits(plain.read_bytes(), *parts))

        assert self.times(clip) == expected

    def test_of_fragments(self, tmp_path: Path) -> None:
        times = [round((DELAY + n) / 25, 3) for n in range(FRAMES)]
        assert self.times(fragmented(tmp_path)) == times


def varying(path: Path, steps: Sequence[float]) -> Path:
    """A clip whose frames come so many seconds after each other."""
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 0
        for step, image in zip(steps, numbered_frames(len(steps)), strict=True):
            time += round(1000 * step)
            frame = VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class TestStarts:
    """Streams that begin, or go on, where no other does."""

    def test_h264_without_a_word_that_a_decoder_may_start(self, tmp_path: Path) -> None:
        """FFmpeg hides pictures of it, or flags them."""
        plain = self.open_groups(tmp_path, "bframes=0")
        first = self.keys(plain)[1]
        recovery_point = 6
        clip = remux(
            tmp_path / "clip.mp4",
            plain,
            lambda n, content: without_units(content, recovery_point) if n >= first else None,
        )
        assert len(frames_of(clip)) == len(packet_ranges(clip)) == 48 - first

    def test_h264_cut_out_of_a_broadcast(self, tmp_path: Path) -> None:
        """What refers to the part that was cut away is left out, as players do."""
        plain = self.open_groups(tmp_path, "bframes=3")
        first = self.keys(plain)[1]
        clip = remux(tmp_path / "clip.mp4", plain, lambda n, c: c if n >= first else None)
        with av.open(clip) as container:
            start = next(p.pts for p in container.demux(video=0))
            container.seek(0)
            times = [p.pts for p in container.demux(video=0) if p.size]
        assert start is not None
        leading = sum(time < start for time in times if time is not None)

        assert leading > 0
        assert len(frames_of(clip)) == len(times) - leading

    def test_h264_from_within_a_group(self, tmp_path: Path) -> None:
        plain = encode_clip(tmp_path / "plain.mp4", textured_frames(24), codec_options={"g": "8"})
        clip = remux(tmp_path / "clip.mp4", plain, lambda n, c: c if n > 2 else None)

        with pytest.raises(DamagedVideo, match="refer to others before them"):
            frames_of(clip)

    @pytest.mark.parametrize("ends", [False, True])
    def test_hevc_behind_the_end_of_a_sequence(self, tmp_path: Path, ends: bool) -> None:
        """Pictures that lead a random access point refer to a sequence that is over."""
        plain = encode_clip(
            tmp_path / "plain.mp4",
            textured_frames(48),
            codec="libx265",
            codec_options={
                "x265-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0:"
                "log-level=none"
            },
        )
        second = self.keys(plain)[1]
        end_of_sequence = bytes([0, 0, 0, 2, 36 << 1, 1]) if ends else b""
        clip = remux(
            tmp_path / "clip.mp4",
            plain,
            lambda n, content: content + end_of_sequence if n == second - 1 else content,
        )
        with av.open(clip) as container:
            decoder = [frame.pts for frame in container.decode(video=0)]
        assert len(frames_of(clip)) == len(decoder)
        assert (len(decoder) < 48) is ends

    def open_groups(self, folder: Path, params: str) -> Path:
        return encode_clip(
            folder / "plain.mp4",
            textured_frames(48),
            codec_options={"x264-params": f"open-gop=1:keyint=12:scenecut=0:{params}"},
        )

    def keys(self, path: Path) -> list[int]:
        with av.open(path) as container:
            return [n for n, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]


class TestColours:
    Y, U, V = 120, 90, 200

    def plain(self, path: Path, height: int, matrix: str = "") -> Path:
        with av.open(path, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, height, "yuv420p"
            params = "qp=0" + (f":colormatrix={matrix}" if matrix else "")
            stream.options = {"x264-params": params, "preset": "ultrafast"}
            frame = VideoFrame(64, height, "yuv420p")
            for plane, value in zip(frame.planes, (self.Y, self.U, self.V), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            container.mux(stream.encode(frame))
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    def bgr(self, red: float, blue: float) -> list[float]:
        """By the shares that red and blue have in luma."""
        y, cb, cr = (self.Y - 16) / 219, (self.U - 128) / 224, (self.V - 128) / 224
        r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
        return [255 * value for value in (b, (y - red * r - blue * b) / (1 - red - blue), r)]

    BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)

    @pytest.mark.parametrize(
        ("height", "matrix", "shares"),
        [
            (718, "", BT601),
            (720, "", BT709),
            (96, "bt709", BT709),
            (720, "smpte170m", BT601),
            (96, "bt2020nc", BT2020),
            (96, "bt2020c", BT2020),
            (96, "ICtCp", BT2020),
            (96, "smpte2085", BT2020),
            (96, "YCgCo", BT601),
            (96, "chroma-derived-nc", BT601),
            (720, "chroma-derived-c", BT709),
        ],
    )
    def test_matrix(
        self,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        height: int,
        matrix: str,
        shares: tuple[float, float],
    ) -> None:
        frames = frames_of(self.plain(tmp_path / "clip.mp4", height, matrix))

        assert frames[0][40, 30] == pytest.approx(self.bgr(*shares), abs=3)
        assert len(frames) == 2
        unknown = matrix not in ("", "bt709", "smpte170m", "bt2020nc")
        assert [record.levelname for record in caplog.records] == ["WARNING"] * unknown


@pytest.mark.parametrize("way", ["encv", "drmi", "sinf"])
def test_encrypted(tmp_path: Path, way: str) -> None:
    def encrypt(body: bytes) -> bytes:
        kind = b"avc1" if way == "sinf" else way.encode()
        scheme = box(b"sinf", box(b"frma", b"avc1"))
        return body[:8] + box(kind, body[16:], scheme)

    plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(change_boxes(plain.read_bytes(), b"stsd", encrypt))

    with pytest.raises(UnsupportedCodec, match="The video is encrypted"):
        frames_of(clip)


def test_a_codec_that_changes_midway(tmp_path: Path) -> None:
    plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES))
    half, data = packet_ranges(plain)[12].start, plain.read_bytes()
    for kind, change in {
        b"stsd": lambda body: numbers(0, 2) + body[8:] + body[8:].replace(b"avc1", b"hvc1"),
        b"stsc": lambda body: numbers(0, 2, 1, 12, 1, 2, 12, 2),
        b"stco": lambda body: numbers(0, 2) + body[8:] + numbers(half),
    }.items():
        data = change_boxes(data, kind, change)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(data)

    with pytest.raises(UnsupportedCodec, match=r"changes midway \(avc1, hvc1\)"):
        frames_of(clip)


@pytest.mark.parametrize("edits", [[(0, 0)], [(960, -1)], [(960, 100 * FRAMES * TICKS_A_FRAME)]])
def test_an_edit_list_that_shows_nothing(tmp_path: Path, edits: list[tuple[int, int]]) -> None:
    plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(with_edits(plain.read_bytes(), *edits))

    with pytest.raises(NoFrames, match=r"The edit list shows none of the video's 24 frames"):
        frames_of(clip)
