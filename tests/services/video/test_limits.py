"""Small files that ask for a lot: frames of a size or in a number that must not be allocated."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.core import errors
from app.services.video.picture import Image
from app.services.video.reader import read_frames
from tests.clips import (
    box,
    change_boxes,
    encode_beside,
    encode_clip,
    numbered_frames,
    numbers,
    sound,
    splice,
)

MANY = 80_000_000  # more than 2 GiB of index, and FFmpeg gives up
REPEAT_HEADERS = {
    "libx264": {"x264-params": "repeat-headers=1"},
    "libx265": {"x265-params": "repeat-headers=1:log-level=none"},
    "libvpx-vp9": {},
}


def read(path: Path, max_frame_pixels: int = 10**6, max_video_frames: int = 10**6) -> int:
    """How many frames there are."""
    limits = {"max_frame_pixels": max_frame_pixels, "max_video_frames": max_video_frames}
    return sum(1 for _ in read_frames(path, frame_stride=1, **limits))


def black(count: int, side: int) -> Iterator[Image]:
    image = np.zeros((side, side, 3), np.uint8)
    for _ in range(count):
        yield image


class TestFrameSize:
    @pytest.fixture(scope="class")
    @classmethod
    def giant(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A few kilobytes that hold frames of 200 MB each."""
        return encode_clip(
            tmp_path_factory.mktemp("giant") / "giant.mp4",
            black(2, 8192),
            codec_options={"preset": "ultrafast", "x264-params": "repeat-headers=1:threads=1"},
        )

    def test_a_giant_is_refused_before_it_is_decoded(self, giant: Path) -> None:
        assert giant.stat().st_size < 2**20
        refusal, megabytes = read_apart(giant)
        assert refusal == (
            "FrameTooLarge: A frame of 8192 x 8192 pixels is larger than the limit of "
            "35389440 pixels."
        )
        assert megabytes < 150

    def test_a_giant_behind_small_frames(self, giant: Path, tmp_path: Path) -> None:
        """The container announces the small size; the large one stands in the packets alone."""
        small = encode_clip(
            tmp_path / "small.mp4",
            numbered_frames(8),
            codec_options=REPEAT_HEADERS["libx264"],
        )

        refusal, megabytes = read_apart(splice(tmp_path / "clip.mp4", [small, giant]))

        assert refusal.startswith("FrameTooLarge: A frame of 8192 x 8192 pixels")
        assert megabytes < 200

    @pytest.mark.parametrize("codec", REPEAT_HEADERS)
    @pytest.mark.parametrize(
        ("height", "width"),
        [pytest.param(192, 160, id="a little"), pytest.param(480, 640, id="much")],
    )
    def test_a_frame_midway_that_is_too_large(
        self, tmp_path: Path, codec: str, height: int, width: int
    ) -> None:
        small, large = (
            encode_clip(
                tmp_path / f"{size[0]}.mp4",
                numbered_frames(6, *size),
                codec=codec,
                codec_options=REPEAT_HEADERS[codec],
            )
            for size in ((96, 128), (height, width))
        )
        clip = splice(tmp_path / "clip.mp4", [small, large])

        with pytest.raises(errors.FrameTooLarge, match="larger than the limit of 12288 pixels"):
            read(clip, max_frame_pixels=128 * 96)
        assert read(clip, max_frame_pixels=width * height) == 12

    @pytest.mark.parametrize("codec", [*REPEAT_HEADERS, "libsvtav1"])
    def test_a_container_that_announces_a_smaller_size(self, tmp_path: Path, codec: str) -> None:
        large = encode_clip(tmp_path / "large.mp4", numbered_frames(6, 480, 640), codec=codec)
        clip = tmp_path / "clip.mp4"
        sixteen_by_sixteen = b"\0\x10\0\x10"
        clip.write_bytes(
            change_boxes(
                large.read_bytes(),
                b"stsd",
                lambda body: body[:40] + sixteen_by_sixteen + body[44:],
            )
        )
        with pytest.raises(errors.FrameTooLarge):
            read(clip, max_frame_pixels=128 * 96)

    def test_what_is_cropped_off_does_not_count(self, tmp_path: Path) -> None:
        """H.264 encodes 1080 lines as 1088."""
        clip = encode_clip(
            tmp_path / "clip.mp4",
            numbered_frames(2, 1080, 1920),
            codec_options={"preset": "ultrafast"},
        )
        assert read(clip, max_frame_pixels=1920 * 1080) == 2


class TestFrameCount:
    """Each of these made FFmpeg build an index of gigabytes, or would have it do so."""

    @pytest.fixture(scope="class")
    @classmethod
    def plain(cls, tmp_path_factory: pytest.TempPathFactory) -> bytes:
        path = tmp_path_factory.mktemp("plain") / "plain.mp4"
        return encode_clip(path, numbered_frames(24), codec_options={"bf": "3"}).read_bytes()

    def announce_sound(self, track: bytes) -> bytes:
        return self.announce(track) if b"soun" in track else track

    def announce(self, data: bytes) -> bytes:
        """Say that there are many frames, of one byte each, in one chunk."""
        for kind, body in {
            b"stsz": numbers(0, 1, MANY),
            b"stts": numbers(0, 1, MANY, 512),
            b"stsc": numbers(0, 1, 1, MANY, 1),
            b"stco": numbers(0, 1, 48),
        }.items():
            data = change_boxes(data, kind, lambda _, body=body: body)  # type: ignore[misc]
        return data

    def test_a_number_in_the_index(self, plain: bytes, tmp_path: Path) -> None:
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(self.announce(plain))

        refusal, megabytes = read_apart(clip)

        assert refusal == (
            "TooManyFrames: The video has 80000000 frames or more, the limit is 1000000."
        )
        assert megabytes < 100

    def test_a_number_in_the_index_of_a_track_that_is_no_video(self, tmp_path: Path) -> None:
        """FFmpeg would read the index of sound, too."""
        data = encode_beside(tmp_path / "beside.mp4", 24, sound).read_bytes()
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(change_boxes(data, b"trak", self.announce_sound))

        frames, megabytes = read_apart(clip)

        assert frames == "24"
        assert megabytes < 100

    @pytest.mark.parametrize("runs", [1, 4])
    def test_a_number_in_fragments(self, plain: bytes, tmp_path: Path, runs: int) -> None:
        """A run of frames that all take the defaults has no table, just a number."""
        fragmented = encode_clip(
            tmp_path / "fragmented.mp4",
            numbered_frames(12),
            container_options={"movflags": "frag_keyframe+empty_moov"},
        ).read_bytes()
        run = box(b"trun", numbers(0, MANY // runs))
        track = box(b"traf", box(b"tfhd", numbers(0x20000, 1)), run * runs)
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(fragmented + box(b"moof", box(b"mfhd", numbers(0, 9)), track))

        refusal, megabytes = read_apart(clip)

        assert refusal == (
            "TooManyFrames: The video has 80000012 frames or more, the limit is 1000000."
        )
        assert megabytes < 100

    def test_an_edit_list_that_repeats_the_video(self, plain: bytes, tmp_path: Path) -> None:
        edits = 500_000
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(
            change_boxes(
                plain,
                b"elst",
                lambda _: numbers(0, edits) + numbers(960, 1024, 0x10000) * edits,
            )
        )

        refusal, megabytes = read_apart(clip)

        assert refusal == (
            "TooManyFrames: An edit list of 500000 entries over 24 frames is longer than a limit "
            "of 1000000 frames allows."
        )
        assert megabytes < 100

    def test_an_edit_list_that_shows_more_frames_than_there_are(
        self, plain: bytes, tmp_path: Path
    ) -> None:
        """Found only while they are decoded."""
        twice = numbers(0, 2) + numbers(960, 1024, 0x10000) * 2
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(change_boxes(plain, b"elst", lambda _: twice))

        assert read(clip, max_video_frames=48) == 48
        with pytest.raises(errors.TooManyFrames, match="has 48 frames or more, the limit is 47"):
            read(clip, max_video_frames=47)

    def test_an_index_larger_than_any_video_needs(self, plain: bytes, tmp_path: Path) -> None:
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(
            change_boxes(plain, b"stts", lambda _: numbers(0, 3_000_000) + bytes(24_000_000))
        )
        with pytest.raises(errors.TooManyFrames, match=r"An index of 240\d+ bytes is larger"):
            read(clip, max_video_frames=1000)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(
                (b"stsz", lambda b: b[:12] + numbers(2**31) + b[16:]), id="a frame's size"
            ),
            pytest.param((b"stsc", lambda b: numbers(0, 1, 1, 5, 1)), id="frames in a chunk"),
            pytest.param((b"stco", lambda b: numbers(0, 0)), id="no chunks"),
            pytest.param((b"stsz", lambda b: b[:8] + numbers(25) + b[12:]), id="a short table"),
        ],
    )
    def test_tables_that_contradict_each_other(
        self, plain: bytes, tmp_path: Path, change: tuple[bytes, Callable[[bytes], bytes]]
    ) -> None:
        """FFmpeg would take the frames up to there for the whole video."""
        clip = tmp_path / "clip.mp4"
        clip.write_bytes(change_boxes(plain, *change))

        with pytest.raises(errors.DamagedVideo):
            read(clip)


def read_apart(path: Path) -> tuple[str, int]:
    """What reading it in a process of its own ends in, and the most memory that took, in MB."""
    code = f"""
from pathlib import Path
from app.core.limits import *
from app.services.video.reader import read_frames
limits = dict(max_frame_pixels=DEFAULT_MAX_FRAME_PIXELS, max_video_frames=DEFAULT_MAX_VIDEO_FRAMES)
try:
    print(sum(1 for _ in read_frames(Path({str(path)!r}), frame_stride=1, **limits)))
except ValueError as error:
    print(f"{{type(error).__name__}}: {{error}}")
status = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    outcome, peak_kilobytes = done.stdout.splitlines()
    return outcome, int(peak_kilobytes) // 1024
