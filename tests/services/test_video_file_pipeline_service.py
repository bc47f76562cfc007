import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import av
import numpy as np
import pytest
import simplejpeg

from app.core import errors
from app.services.video.payload import FramePayload
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import (
    change_boxes,
    encode_clip,
    frame_number,
    index_first,
    media_range,
    numbered_frames,
    numbers,
    packet_ranges,
    textured_frames,
    top_level_boxes,
    without_fragment,
    zero,
)
from tests.support import footage
from tests.support.open_files import open_files

SIZES = {
    "bigbuckbunny.mp4": (720, 1280),
    "bikes.mp4": (272, 640),
    "carphone_distorted.mp4": (144, 176),
    "carphone_pristine.mp4": (144, 176),
}


class Recorder:
    """A DagService that keeps what it was called with."""

    def __init__(self, answer: Callable[[Mapping[str, Any]], dict[str, Any]] = lambda _: {}):
        self.answer = answer
        self.payloads: list[Mapping[str, Any]] = []

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.payloads.append(payload)
        return self.answer(payload)


def shape(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": payload["frame"].shape}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode_clip(tmp_path_factory.mktemp("clip") / "ten.mp4", numbered_frames(10))


def run(path: Path, **limits: int) -> list[dict[str, Any]]:
    return VideoFilePipelineService(Recorder(), **limits).run_on_file(path, "any")


def test_each_frame_goes_through_the_pipeline_in_order(clip: Path) -> None:
    dag_service = Mock()
    dag_service.run_pipeline.side_effect = [{"n": n} for n in range(10)]

    results = VideoFilePipelineService(dag_service).run_on_file(str(clip), "some_pipeline")

    assert results == [{"frame_index": n, "result": {"n": n}} for n in range(10)]
    calls = [call.args for call in dag_service.run_pipeline.call_args_list]
    assert [pipeline_id for pipeline_id, _ in calls] == ["some_pipeline"] * 10
    assert [payload["frame_index"] for _, payload in calls] == list(range(10))
    assert [frame_number(payload["frame"]) for _, payload in calls] == list(range(10))
    times = [payload["timestamp"] for _, payload in calls]
    assert times == pytest.approx([n / 25 for n in range(10)])


@pytest.mark.parametrize("name", footage.FRAME_COUNTS)
def test_real_footage_is_read_whole(name: str) -> None:
    results = VideoFilePipelineService(Recorder(shape)).run_on_file(footage.clip(name), "any")

    assert results == [
        {"frame_index": n, "result": {"shape": (*SIZES[name], 3)}}
        for n in range(footage.FRAME_COUNTS[name])
    ]


@pytest.mark.parametrize(
    ("frame_stride", "max_frames", "indices"),
    [
        (1, 3, [0, 1, 2]),
        (3, None, [0, 3, 6, 9]),
        (4, 2, [0, 4]),
        (100, None, [0]),
        (1, 100, list(range(10))),
    ],
)
def test_stride_and_maximum(
    clip: Path, frame_stride: int, max_frames: int | None, indices: list[int]
) -> None:
    recorder = Recorder()

    results = VideoFilePipelineService(recorder).run_on_file(clip, "any", frame_stride, max_frames)

    assert [result["frame_index"] for result in results] == indices
    assert [frame_number(payload["frame"]) for payload in recorder.payloads] == indices


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True])
@pytest.mark.parametrize("name", ["frame_stride", "max_frames"])
def test_stride_and_maximum_must_be_positive_integers(clip: Path, name: str, bad: Any) -> None:
    recorder = Recorder()

    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, not"):
        VideoFilePipelineService(recorder).run_on_file(clip, "any", **{name: bad})

    assert recorder.payloads == []


class TestPayload:
    def test_is_a_mapping_of_four_keys(self, clip: Path) -> None:
        recorder = Recorder()
        VideoFilePipelineService(recorder).run_on_file(clip, "any", max_frames=1)
        (payload,) = recorder.payloads

        assert list(payload) == ["frame_index", "timestamp", "frame", "image_bytes"]
        assert len(payload) == 4
        assert payload["timestamp"] == 0
        assert "_keys" not in payload
        with pytest.raises(KeyError):
            payload["_keys"]
        assert payload["frame"].dtype == np.uint8
        assert payload["frame"].flags.c_contiguous

    def test_the_order_of_colours_is_blue_green_red(self, tmp_path: Path) -> None:
        blue = np.zeros((64, 64, 3), np.uint8)
        blue[:, :, 0] = 200
        recorder = Recorder()
        VideoFilePipelineService(recorder).run_on_file(
            encode_clip(tmp_path / "blue.mp4", [blue]), "any"
        )

        mean = recorder.payloads[0]["frame"].mean(axis=(0, 1))

        assert mean == pytest.approx([200, 0, 0], abs=6)

    def test_the_jpeg_shows_the_frame_and_is_made_once(self, clip: Path) -> None:
        recorder = Recorder()
        VideoFilePipelineService(recorder).run_on_file(clip, "any", max_frames=1)
        (payload,) = recorder.payloads

        decoded = simplejpeg.decode_jpeg(payload["image_bytes"], colorspace="BGR")

        assert np.abs(decoded.astype(int) - payload["frame"]).max() <= 3
        assert payload["image_bytes"] is payload["image_bytes"]

    def test_no_jpeg_is_made_unless_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "simplejpeg", None)
        payload = FramePayload(0, np.zeros((8, 8, 3), np.uint8), 0.0)

        assert payload["frame_index"] == 0
        assert payload["frame"].shape == (8, 8, 3)
        with pytest.raises(ImportError):
            payload["image_bytes"]


CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {}),
    "h264 interlaced": ("libx264", {"x264-params": "interlaced=1"}),
    "hevc": ("libx265", {"x265-params": "log-level=none"}),
    "av1": ("libsvtav1", {}),
    "vp9": ("libvpx-vp9", {}),
    "mpeg4": ("mpeg4", {"bf": "2"}),
    "mpeg2": ("mpeg2video", {"bf": "2"}),
    "mpeg1": ("mpeg1video", {}),
    "mjpeg": ("mjpeg", {}),
    "jpeg2000": ("jpeg2000", {}),
    "png": ("png", {}),
}
PIXELS = {"mjpeg": "yuvj420p", "png": "rgb24"}


class TestDamage:
    """A file that is not whole never gives a list."""

    @pytest.mark.parametrize("name", ["bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4"])
    @pytest.mark.parametrize("percent", [1, 30, 60, 90, 99])
    @pytest.mark.parametrize("layout", [bytes, index_first], ids=["index last", "index first"])
    def test_cut_off(
        self, tmp_path: Path, name: str, percent: int, layout: Callable[[bytes], bytes]
    ) -> None:
        data = layout(footage.clip(name).read_bytes())
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(data[: len(data) * percent // 100])

        with pytest.raises(errors.TruncatedVideo, match="truncated"):
            run(cut)

    def test_cut_off_in_a_box_that_says_until_the_end(self, tmp_path: Path) -> None:
        """The boxes alone do not show it; the samples that the index lists do."""
        data = bytearray(index_first(footage.clip("bikes.mp4").read_bytes()))
        start, end = media_range(data)
        data[start - 8 : start - 4] = bytes(4)
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(data[: start + (end - start) // 2])

        with pytest.raises(errors.TruncatedVideo, match=r"lists samples up to byte \d+ "):
            run(cut)

    def test_zeroed(self, tmp_path: Path) -> None:
        data = bytearray(footage.clip("bikes.mp4").read_bytes())
        start, end = media_range(data)
        data[start:end] = bytes(end - start)
        damaged = tmp_path / "zeroed.mp4"
        damaged.write_bytes(data)

        with pytest.raises(errors.DamagedVideo, match="damaged"):
            run(damaged)

    @pytest.mark.parametrize("percent", [0, 25, 50, 75])
    @pytest.mark.parametrize("name", ["bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4"])
    def test_overwritten(self, tmp_path: Path, name: str, percent: int) -> None:
        data = bytearray(footage.clip(name).read_bytes())
        start, end = media_range(data)
        at = start + (end - start) * percent // 100
        data[at : at + 20_000] = np.random.default_rng(percent).bytes(20_000)
        damaged = tmp_path / "overwritten.mp4"
        damaged.write_bytes(data)

        with pytest.raises(errors.DamagedVideo, match=r"Decoded \d+ of \d+ frames: .*damaged"):
            run(damaged)

    @pytest.fixture(scope="class", params=CODECS)
    @classmethod
    def encoded(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Path:
        codec, options = CODECS[request.param]
        return encode_clip(
            tmp_path_factory.mktemp("encoded") / "whole.mp4",
            textured_frames(24),
            codec=codec,
            pix_fmt=PIXELS.get(codec, "yuv420p"),
            codec_options={"g": "6", **options},
        )

    @pytest.mark.parametrize(
        "lost",
        [
            pytest.param(slice(12, 24), id="the second half"),
            pytest.param(slice(23, 24), id="the last one"),
            pytest.param(slice(13, 14), id="one in the middle"),
            pytest.param(slice(0, 24), id="all"),
        ],
    )
    def test_zeroed_packets_of_each_codec(self, tmp_path: Path, encoded: Path, lost: slice) -> None:
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(zero(encoded.read_bytes(), packet_ranges(encoded)[lost]))

        assert len(run(encoded)) == 24
        with pytest.raises((errors.DamagedVideo, errors.TruncatedVideo), match="of 24 frames: "):
            run(damaged)

    def test_half_of_an_interlaced_video(self, tmp_path: Path) -> None:
        """A packet may be just the second field of the picture before, but not all of them."""
        whole = encode_clip(
            tmp_path / "whole.mp4",
            textured_frames(24),
            codec="mpeg2video",
            codec_options={"flags": "+ildct+ilme"},
        )
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(zero(whole.read_bytes(), packet_ranges(whole)[12:]))

        assert len(run(whole)) == 24
        with pytest.raises(errors.DamagedVideo, match="Decoded 12 of 24 frames"):
            run(damaged)

    @pytest.fixture(scope="class", params=["", "+dash+global_sidx"], ids=["plain", "segment index"])
    @classmethod
    def fragmented(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Path:
        movflags = f"frag_keyframe+empty_moov+default_base_moof{request.param}"
        return encode_clip(
            tmp_path_factory.mktemp("fragmented") / "whole.mp4",
            textured_frames(24),
            codec_options={"g": "6"},
            container_options={"movflags": movflags},
        )

    def test_no_more_frames_are_decoded_than_announced(self, tmp_path: Path) -> None:
        """When an edit list shows them twice, how many there will be is not said."""
        whole = encode_clip(
            tmp_path / "whole.mp4", textured_frames(24), codec="mpeg4", codec_options={"g": "6"}
        )
        twice = numbers(0, 2) + numbers(480, 0, 0x10000) + numbers(960, 0, 0x10000)
        data = change_boxes(whole.read_bytes(), b"elst", lambda _: twice)
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(zero(data, packet_ranges(whole)[20:21]))

        with pytest.raises(errors.DamagedVideo, match=r"^Decoded \d+ frames: the file is damaged"):
            run(damaged)

    @pytest.mark.parametrize("keep_media", [False, True])
    def test_a_fragment_that_is_missing(
        self, tmp_path: Path, fragmented: Path, keep_media: bool
    ) -> None:
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(without_fragment(fragmented.read_bytes(), 1, keep_media=keep_media))

        assert len(run(fragmented)) == 24
        with pytest.raises(
            (errors.DamagedVideo, errors.TruncatedVideo),
            match=r"Between two fragments, 0\.24 seconds are missing|segments should end at byte",
        ):
            run(damaged)

    def test_fragments_cut_off_between_boxes(self, tmp_path: Path, fragmented: Path) -> None:
        """Which only a segment index tells."""
        data = fragmented.read_bytes()
        second = [end for kind, _, end in top_level_boxes(data) if kind == b"mdat"][1]
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(data[:second])

        if b"sidx" not in data:
            assert len(run(cut)) == 12
            return
        with pytest.raises(
            errors.TruncatedVideo,
            match=rf"segments should end at byte \d+ and the file ends at byte {second}: it is tr",
        ):
            run(cut)

    @pytest.mark.parametrize(
        ("codec", "unknown_unit"), [("libx264", b"\x1f"), ("libx265", b"\x52\1")]
    )
    def test_a_picture_that_the_decoder_drops_without_a_word(
        self, tmp_path: Path, codec: str, unknown_unit: bytes
    ) -> None:
        """Units of a kind that the standard leaves open are skipped, as it demands."""
        whole = encode_clip(
            tmp_path / "whole.mp4",
            numbered_frames(12),
            codec=codec,
            codec_options={"bf": "0", "x265-params": "log-level=none:bframes=0"},
        )
        with av.open(whole) as container:
            *_, last = (packet.pos for packet in container.demux(video=0) if packet.size)
        assert last is not None
        data = bytearray(whole.read_bytes())
        data[last + 4 : last + 4 + len(unknown_unit)] = unknown_unit
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(data)

        with pytest.raises(errors.DamagedVideo, match="Decoded 11 of 12 frames"):
            run(damaged)

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"", errors.NotAnMp4),
            (b"#EXTM3U\n#ftyp\n", errors.NotAnMp4),
            (b"ffconcat version 1.0\n# ftypisom\nfile 'ten.mp4'\n", errors.NotAnMp4),
            (b"\0\0\0\x20ftypisom", errors.TruncatedVideo),
            (b"\0\0\0\x10ftypisom\0\0\0\0", errors.TruncatedVideo),
            (b"\0\0\0\x07ftypisom\0\0\0\0", errors.DamagedVideo),
            (b"\0\0\0\x01ftyp\0\0\0\0\0\0\0\x0f", errors.DamagedVideo),
            (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov", errors.VideoError),
            (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moovabc", errors.DamagedVideo),
        ],
    )
    def test_hardly_a_file(
        self, tmp_path: Path, clip: Path, content: bytes, error: type[Exception]
    ) -> None:
        (tmp_path / "ten.mp4").write_bytes(clip.read_bytes())
        path = tmp_path / "odd.mp4"
        path.write_bytes(content)

        with pytest.raises(error) as caught:
            run(path)

        assert str(tmp_path) not in str(caught.value)

    def test_sound_only(self, tmp_path: Path) -> None:
        path = tmp_path / "sound.mp4"
        with av.open(path, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=48000)
            sound = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            sound.sample_rate = 48000
            container.mux(stream.encode(sound))
            container.mux(stream.encode(None))

        with pytest.raises(errors.NoVideoTrack):
            run(path)

    def test_a_track_without_frames(self, tmp_path: Path, clip: Path) -> None:
        data = clip.read_bytes()
        for kind, none in {b"stsz": 3, b"stts": 2, b"stsc": 2, b"stco": 2}.items():
            data = change_boxes(data, kind, lambda _, none=none: bytes(4 * none))  # type: ignore[misc]
        empty = tmp_path / "empty.mp4"
        empty.write_bytes(data)

        with pytest.raises(errors.NoFrames, match="holds no frames"):
            run(empty)

    def test_a_codec_that_nobody_knows(self, tmp_path: Path, clip: Path) -> None:
        unknown = tmp_path / "unknown.mp4"
        unknown.write_bytes(
            change_boxes(clip.read_bytes(), b"stsd", lambda body: body.replace(b"avc1", b"what"))
        )
        with pytest.raises(errors.UnsupportedCodec, match="codec is not supported"):
            run(unknown)

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            run(tmp_path / "missing.mp4")

    def test_damage_behind_the_last_frame_run_is_not_looked_for(self, tmp_path: Path) -> None:
        data = bytearray(footage.clip("bikes.mp4").read_bytes())
        start, end = media_range(data)
        data[(start + end) // 2 : end] = bytes(end - (start + end) // 2)
        damaged = tmp_path / "damaged.mp4"
        damaged.write_bytes(data)

        results = VideoFilePipelineService(Recorder()).run_on_file(damaged, "any", max_frames=5)

        assert len(results) == 5


class TestLimits:
    def test_as_many_pixels_as_allowed(self, clip: Path) -> None:
        assert len(run(clip, max_frame_pixels=128 * 96)) == 10

    def test_one_pixel_too_many(self, clip: Path) -> None:
        with pytest.raises(errors.FrameTooLarge, match=r"128 x 96 .* limit of 12287 pixels"):
            run(clip, max_frame_pixels=128 * 96 - 1)

    def test_as_many_frames_as_allowed(self, clip: Path) -> None:
        assert len(run(clip, max_video_frames=10)) == 10

    def test_one_frame_too_many(self, clip: Path) -> None:
        with pytest.raises(errors.TooManyFrames, match="has 10 frames or more, the limit is 9"):
            run(clip, max_video_frames=9)

    def test_one_unannounced_frame_too_many(self, tmp_path: Path) -> None:
        fragmented = encode_clip(
            tmp_path / "fragmented.mp4",
            numbered_frames(10),
            container_options={"movflags": "frag_keyframe+empty_moov"},
        )
        with pytest.raises(errors.TooManyFrames, match="has 10 frames or more, the limit is 9"):
            run(fragmented, max_video_frames=9)


class Interruption(BaseException):
    pass


@pytest.mark.parametrize("exception", [RuntimeError, Interruption])
def test_what_the_pipeline_raises_comes_through_and_all_is_closed(
    exception: type[BaseException],
) -> None:
    def third_time_unlucky(payload: Mapping[str, Any]) -> dict[str, Any]:
        if payload["frame_index"] == 2:
            raise exception("third")
        return {}

    clip = footage.clip("bikes.mp4")
    recorder = Recorder(third_time_unlucky)
    threads_before = native_threads()

    with pytest.raises(exception, match="third"):
        VideoFilePipelineService(recorder).run_on_file(clip, "any")

    assert len(recorder.payloads) == 3
    assert str(clip) not in open_files().values()
    assert native_threads() == threads_before


def native_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_importing_the_service_loads_nothing_heavy() -> None:
    heavy = ("av", "cv2", "numpy", "onnxruntime", "simplejpeg", "zxingcpp")
    code = (
        "import sys; import app.services.video_file_pipeline_service, "
        "app.services.pipelines.registry; "
        f"sys.exit(', '.join(m for m in {heavy} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
