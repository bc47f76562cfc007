"""Files whose bytes are not tidy: whole where all samples are there, and refused where not."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import DamagedVideo, TruncatedVideo, VideoError
from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.services.video.layout import inspect
from app.services.video.reader import read_frames
from tests.clips import (
    box,
    change_boxes,
    encode_beside,
    encode_clip,
    index_first,
    numbered_frames,
    numbers,
    packet_ranges,
    sound,
    top_level_boxes,
    without_fragment,
)

FRAMES = 12
TAILS = {
    "a line break": b"\n",
    "a zero": b"\0",
    "zeros": bytes(700),
    "ones": b"\xff" * 512,
    "a size of 4": numbers(4) + b"abcd" * 3,
    "a trailer": b"\0\0\0\x12" + b"\x9a\x00\x10\x00" * 100 + b"8db42d694ccc418790edff439fe026bf",
    "a box that is cut": numbers(4000) + b"uuid" + bytes(100),
    "text": b"<?xml version='1.0'?><camera/>",
}


def frames(path: Path) -> int:
    limits = {
        "max_frame_pixels": DEFAULT_MAX_FRAME_PIXELS,
        "max_video_frames": DEFAULT_MAX_VIDEO_FRAMES,
    }
    return sum(1 for _ in read_frames(path, frame_stride=1, **limits))


def frames_in(data: bytes, folder: Path) -> int:
    path = folder / "clip.mp4"
    path.write_bytes(data)
    return frames(path)


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with sound, its index at its end."""
    path = tmp_path_factory.mktemp("last") / "clip.mp4"
    return encode_beside(path, FRAMES, sound).read_bytes()


@pytest.fixture(scope="module")
def first(last: bytes) -> bytes:
    return index_first(last)


@pytest.fixture(scope="module")
def fragmented(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encode_clip(
        tmp_path_factory.mktemp("fragmented") / "clip.mp4",
        numbered_frames(FRAMES),
        codec_options={"g": "4"},
        container_options={"movflags": "frag_keyframe+empty_moov"},
    ).read_bytes()


def larger(data: bytes, kind: bytes, by: int) -> bytes:
    """The first box of that kind says that it is so many bytes larger than it is."""
    at = data.index(kind) - 4
    size = int.from_bytes(data[at : at + 4], "big") + by
    return data[:at] + size.to_bytes(4, "big") + data[at + 4 :]


def media_header(size: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = data.index(b"mdat") - 4
        return data[:at] + size + data[at + 4 :]

    return change


class TestWhole:
    @pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
    @pytest.mark.parametrize("layout", [bytes, index_first], ids=["index last", "index first"])
    def test_bytes_behind_the_last_box(
        self, tmp_path: Path, last: bytes, layout: Callable[[bytes], bytes], tail: bytes
    ) -> None:
        assert frames_in(layout(last) + tail, tmp_path) == FRAMES

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda data: larger(data, b"mdat", 8), id="media"),
            pytest.param(lambda data: data + numbers(1000) + b"free", id="free space"),
            pytest.param(lambda data: data + numbers(1000) + b"udta" + bytes(50), id="user data"),
            pytest.param(lambda data: data + numbers(2**31) + b"what" + bytes(50), id="unknown"),
            pytest.param(lambda data: data + numbers(1) + b"wide" + numbers(9, 9), id="64 bits"),
            pytest.param(media_header(numbers(8)), id="media of no size"),
            pytest.param(media_header(numbers(1)), id="media of a size of 64 bits not written"),
            pytest.param(media_header(numbers(0)), id="media up to the end"),
            pytest.param(lambda data: media_header(numbers(8))(data) + b"\n", id="and a tail"),
        ],
    )
    def test_boxes_that_say_they_are_longer_or_shorter(
        self, tmp_path: Path, first: bytes, change: Callable[[bytes], bytes]
    ) -> None:
        assert frames_in(change(first), tmp_path) == FRAMES

    def test_an_index_that_counts_its_header_twice(self, tmp_path: Path, last: bytes) -> None:
        assert frames_in(larger(last, b"moov", 8), tmp_path) == FRAMES

    @pytest.mark.parametrize("kind", [b"udta", b"what"])
    @pytest.mark.parametrize("parent", [b"moov", b"trak"])
    def test_an_unneeded_box_that_is_longer_than_its_parent(
        self, tmp_path: Path, last: bytes, parent: bytes, kind: bytes
    ) -> None:
        extra = numbers(108) + kind + bytes(92)
        data = change_boxes(last, parent, lambda body: body + extra)

        assert frames_in(data, tmp_path) == FRAMES

    @pytest.mark.parametrize("bits", [8, 16])
    def test_compact_sizes(self, tmp_path: Path, bits: int) -> None:
        plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES, 16, 16), codec="mpeg4")
        sizes = [span.stop - span.start for span in packet_ranges(plain)]
        table = numbers(0, bits, len(sizes)) + b"".join(size.to_bytes(bits // 8) for size in sizes)
        data = change_boxes(plain.read_bytes(), b"stsz", lambda _: table).replace(b"stsz", b"stz2")

        assert frames_in(data, tmp_path) == FRAMES

    def test_offsets_of_64_bits(self, tmp_path: Path) -> None:
        plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes()
        data = change_boxes(plain, b"stco", lambda body: body[:8] + numbers(0) + body[8:])

        assert frames_in(data.replace(b"stco", b"co64"), tmp_path) == FRAMES


class TestNotWhole:
    """No tolerance of the above lets a part pass for the whole."""

    @pytest.mark.parametrize("layout", [bytes, index_first], ids=["index last", "index first"])
    def test_cut_off_anywhere(
        self, tmp_path: Path, last: bytes, layout: Callable[[bytes], bytes]
    ) -> None:
        data = layout(last)
        moov = data.index(b"moov")
        near = {*range(moov - 40, moov + 40), *range(len(data) - 200, len(data))}
        for length in sorted({*range(0, len(data), 61), *near}):
            with pytest.raises(VideoError):
                frames_in(data[:length], tmp_path)

    def test_fragments_cut_off_anywhere(self, tmp_path: Path, fragmented: bytes) -> None:
        between = {end for _, _, end in top_level_boxes(fragmented)}
        for length in set(range(0, len(fragmented), 13)) - between:
            with pytest.raises(VideoError):
                frames_in(fragmented[:length], tmp_path)

    @pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
    def test_cut_off_before_a_tail(self, tmp_path: Path, first: bytes, tail: bytes) -> None:
        with pytest.raises(VideoError, match=r"truncated|damaged"):
            frames_in(first[: -len(tail) - 1] + tail[:-1], tmp_path)

    @pytest.mark.parametrize(
        "change", [media_header(numbers(8)), media_header(numbers(0)), bytes], ids=[8, 0, "right"]
    )
    @pytest.mark.parametrize("missing", [1, 500])
    def test_media_cut_off(
        self, tmp_path: Path, first: bytes, change: Callable[[bytes], bytes], missing: int
    ) -> None:
        with pytest.raises(VideoError, match="truncated"):
            frames_in(change(first)[:-missing], tmp_path)

    @pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
    def test_a_tail_behind_fragments(self, tmp_path: Path, fragmented: bytes, tail: bytes) -> None:
        with pytest.raises(VideoError, match=r"truncated|damaged") as caught:
            frames_in(fragmented + tail, tmp_path)

        assert str(caught.value).isascii()
        assert str(caught.value).isprintable()

    def test_a_fragment_whose_end_is_not_told(self, tmp_path: Path, fragmented: bytes) -> None:
        """It would swallow those behind it."""
        with pytest.raises(DamagedVideo, match="does not say where it ends"):
            frames_in(media_header(numbers(0))(fragmented), tmp_path)

    def test_fragments_of_which_the_random_access_box_knows_more(
        self, tmp_path: Path, fragmented: bytes
    ) -> None:
        last = without_fragment(fragmented, 2, keep_media=False)

        with pytest.raises(DamagedVideo, match="knows 1 more fragments than there are"):
            frames_in(last, tmp_path)

    @pytest.mark.parametrize("kind", [b"trak", b"mdia", b"stbl", b"stts", b"edts"])
    def test_a_needed_box_that_is_longer_than_its_parent(
        self, tmp_path: Path, last: bytes, kind: bytes
    ) -> None:
        with pytest.raises(VideoError):
            frames_in(larger(last, kind, 2**20), tmp_path)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param((b"stts", lambda b: b[:12] + numbers(40960) + b[16:]), id="a duration"),
            pytest.param((b"ctts", lambda b: b[:20] + numbers(2**20) + b[24:]), id="an offset"),
            pytest.param((b"elst", lambda b: b[:8] + numbers(240) + b[12:]), id="an edit"),
        ],
    )
    def test_damaged_times_that_hide_frames(
        self, tmp_path: Path, change: tuple[bytes, Callable[[bytes], bytes]]
    ) -> None:
        plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes()

        with pytest.raises(DamagedVideo):
            frames_in(change_boxes(plain, *change), tmp_path)

    def test_times_that_go_backwards(self, tmp_path: Path) -> None:
        plain = encode_clip(
            tmp_path / "plain.mp4", numbered_frames(FRAMES), container_options={"use_editlist": "0"}
        ).read_bytes()
        data = change_boxes(plain, b"ctts", lambda body: body[:20] + numbers(20 * 512) + body[24:])
        with pytest.raises(DamagedVideo, match="time goes backwards"):
            frames_in(data, tmp_path)


class TestHostileTables:
    """Small files whose tables announce more than there is, or a lot."""

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (b"stco", numbers(0, 2**30)),
            (b"stco", numbers(0, 1, 2**32 - 1)),
            (b"stsc", numbers(0, 3, 1, 1, 1, 9, 1, 1, 3, 1, 1)),
            (b"stsc", numbers(0, 2**31, 1, 1, 1)),
            (b"stsz", numbers(0, 0, 2**32 - 1)),
            (b"stsz", numbers(0, 2**32 - 1, FRAMES)),
        ],
    )
    def test_is_refused(self, tmp_path: Path, kind: bytes, body: bytes) -> None:
        plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes()

        with pytest.raises(VideoError):
            inspect(io.BytesIO(change_boxes(plain, kind, lambda _: body)), 1000)

    def test_an_offset_of_64_bits_beyond_all_files(self, tmp_path: Path) -> None:
        plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(FRAMES)).read_bytes()
        data = change_boxes(plain, b"stco", lambda _: numbers(0, 1, 2**32 - 1, 2**32 - 1))

        with pytest.raises(TruncatedVideo, match="lists samples up to byte"):
            inspect(io.BytesIO(data.replace(b"stco", b"co64")), 1000)

    def test_a_million_samples(self) -> None:
        """As quick as a table of that length can be looked through."""
        count = 1_000_000
        sizes = np.full(count, 5, ">u4").tobytes()
        offsets = np.arange(100, 100 + 5 * count, 5, dtype=">u4").tobytes()
        tables = [
            box(b"stsz", numbers(0, 0, count), sizes),
            box(b"stsc", numbers(0, 1, 1, 1, 1)),
            box(b"stco", numbers(0, count), offsets),
        ]
        handler = box(b"hdlr", numbers(0, 0), b"vide", bytes(13))
        media = box(b"mdia", handler, box(b"minf", box(b"stbl", *tables)))
        moov = box(b"moov", box(b"trak", box(b"tkhd", bytes(84)), media))
        data = box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(5 * count + 100)) + moov

        assert inspect(io.BytesIO(data), count).tracks[0].frames == count
