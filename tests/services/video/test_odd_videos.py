"""Videos that are valid though they are not what most cameras make: none may be refused."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame
from PIL import Image as Pillow

from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.services.video.reader import Image, read_frames
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
    second_video,
    sound,
    splice,
)

FRAMES = 24
MILLISECONDS_A_FRAME = 40
TICKS_A_FRAME = 512


def frames_of(path: Path) -> list[Image]:
    limits = {
        "max_frame_pixels": DEFAULT_MAX_FRAME_PIXELS,
        "max_video_frames": DEFAULT_MAX_VIDEO_FRAMES,
    }
    return [frame for _, frame in read_frames(path, frame_stride=1, **limits)]


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
    ],
)
def test_edit_lists(tmp_path: Path, edits: list[tuple[int, int]], expected: list[int]) -> None:
    """An edit is its first frame (-1: show nothing) and how many frames it lasts."""
    whole = encode_clip(
        tmp_path / "whole.mp4", numbered_frames(FRAMES), codec_options={"bf": "3", "g": "6"}
    )
    delay = 2 * TICKS_A_FRAME  # of the pictures that others refer to

    def edit_list(_: bytes) -> bytes:
        entries = [
            numbers(
                length * MILLISECONDS_A_FRAME,
                -1 if first < 0 else delay + first * TICKS_A_FRAME,
                0x10000,
            )
            for first, length in edits
        ]
        return b"".join([numbers(0, len(entries)), *entries])

    clip = tmp_path / "clip.mp4"
    clip.write_bytes(change_boxes(whole.read_bytes(), b"elst", edit_list))

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


def test_variable_frame_rate(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    with av.open(clip, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        time = 0
        for n, image in enumerate(numbered_frames(FRAMES)):
            frame = VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            time += (10, 40, 333, 5000)[n % 4]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    assert shown(clip) == list(range(FRAMES))


@pytest.mark.parametrize(
    ("matrix", "bright_corner"),
    [
        ((1, 0, 0, 1), "top left"),
        ((0, 1, -1, 0), "top right"),
        ((-1, 0, 0, -1), "bottom right"),
        ((0, -1, 1, 0), "bottom left"),
    ],
)
def test_rotation(tmp_path: Path, matrix: tuple[int, int, int, int], bright_corner: str) -> None:
    """The track's matrix maps (x, y) to (a x + c y, b x + d y)."""
    image = np.zeros((96, 160, 3), np.uint8)
    image[:32, :32] = 255
    plain = encode_clip(tmp_path / "plain.mp4", [image])
    a, b, c, d = (value * 0x10000 for value in matrix)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(
        change_boxes(
            plain.read_bytes(),
            b"tkhd",
            lambda body: body[:40] + numbers(a, b, 0, c, d, 0, 0, 0, 2**30) + body[76:],
        )
    )

    (frame,) = frames_of(clip)

    assert frame.shape == ((96, 160, 3) if b == 0 else (160, 96, 3))
    assert frame.flags.c_contiguous
    corners = {
        "top left": frame[8, 8],
        "top right": frame[8, -8],
        "bottom left": frame[-8, 8],
        "bottom right": frame[-8, -8],
    }
    assert max(corners, key=lambda name: corners[name].sum()) == bright_corner


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
