"""Videos and answers that must not pass for good ones, taken through the running server."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.clips import (
    change_boxes,
    encode_clip,
    index_first,
    media_range,
    numbered_frames,
    numbers,
    packet_ranges,
    splice,
    textured_frames,
    without_fragment,
    zero,
)
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TINY_MP4
from tests.support.client import connect, status, submit, wait_for
from tests.support.footage import clip
from tests.support.pipelines import READY, write_pipeline_package
from tests.support.server import ServerProcess

MIB = 1024 * 1024
MAX_FRAMES = 500

ANSWERS = {
    "nan": "{'a': float('nan'), 'b': [float('inf'), -float('inf')]}",
    "numpy_values": "{'a': np.float32(0.5), 'b': np.arange(4).reshape(2, 2), 'c': np.int8(-1)}",
    "numpy_nan": "{'a': np.array([1.0, np.nan])}",
    "model": "{'a': Model(x=1)}",
    "model_cycle": "{'a': Node.endless()}",
    "path": "{'a': pathlib.PurePosixPath('b/c'), 'd': datetime.date(2024, 5, 6)}",
    "bytes": "{'a': {'image': payload['image_bytes']}}",
    "set": "{'a': {1, 2}}",
    "number_keys": "{'a': [{1: 'one'}]}",
    "surrogate": "{'a': chr(0xd800)}",
    "deep": "functools.reduce(lambda inner, _: {'a': inner}, range(100_000), {})",
    "cycle": "CYCLE",
    "payload": "dict(payload)",
    "view_of_the_frame": "{'a': payload['frame'][:1, :2, 0]}",
    "nothing_at_all": "None",
    "many_digits": "{'a': 2 ** 64}",
}
COMPLETED = {
    "nan": {"a": None, "b": [None, None]},
    "numpy_values": {"a": 0.5, "b": [[0, 1], [2, 3]], "c": -1},
    "numpy_nan": {"a": [1.0, None]},
    "model": {"a": {"x": 1}},
    "path": {"a": "b/c", "d": "2024-05-06"},
}
FAILED = {
    "bytes": "frame 0 is not JSON: result['a']['image'] is of type bytes",
    "set": "frame 0 is not JSON: result['a'] is of type set",
    "number_keys": "frame 0 is not JSON: result['a'][0] has the key 1",
    "surrogate": "frame 0 is not JSON: result['a'] is a string with lone surrogates",
    "deep": "refers to itself or is nested too deep",
    "model_cycle": "frame 0 is not JSON: result['a'] cannot be converted: ",
    "cycle": "refers to itself or is nested too deep",
    "payload": "frame 0 is not JSON: result['image_bytes'] is of type bytes",
    "nothing_at_all": "answered frame 0 with NoneType instead of dict",
    "many_digits": "result['a'] is an integer of more than 64 bits",
}

SOURCE = """
import datetime, functools, pathlib
import numpy as np
from pydantic import BaseModel

class Model(BaseModel):
    x: int

class Node(BaseModel):
    next: 'Node | None' = None

    @classmethod
    def endless(cls):
        node = cls()
        node.next = node
        return node

CYCLE = {{}}
CYCLE['a'] = CYCLE

def factory():
    return lambda payload: {answer}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    package = write_pipeline_package(
        folder / "pipelines", {name: SOURCE.format(answer=code) for name, code in ANSWERS.items()}
    )
    env = {"FORGESYTE_MAX_FRAMES": str(MAX_FRAMES)}
    with ServerProcess(folder / "data", plugins=[READY, package], env=env) as server:
        job_id = submit(server.base_url, TINY_MP4, "echo")  # loads what the first job loads
        assert wait_for(server.base_url, job_id, 60)["status"] == "completed"
        yield server


def outcome(server: ServerProcess, video: Path | bytes, pipeline_id: str) -> httpx2.Response:
    """What the results' route answers once the job has ended; it agrees with the status."""
    job_id = submit(server.base_url, video, pipeline_id)
    ended = wait_for(server.base_url, job_id, 60)["status"]
    with connect(server.base_url) as client:
        response = client.get(f"/video/results/{job_id}")
    assert response.status_code == {"completed": 200, "failed": 404}[ended], response.text
    return response


def failure(server: ServerProcess, video: Path | bytes, pipeline_id: str = "nothing") -> str:
    response = outcome(server, video, pipeline_id)
    assert response.status_code == 404, "the job is completed"
    assert str(server.data_dir) not in response.text
    detail: str = response.json()["detail"]
    return detail


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("pipeline_id", ANSWERS)
def test_results_are_strict_json_or_the_job_failed(server: ServerProcess, pipeline_id: str) -> None:
    response = outcome(server, TINY_MP4, pipeline_id)

    document = json.loads(response.content, parse_constant=no_constant)
    if pipeline_id in FAILED:
        assert FAILED[pipeline_id] in document["detail"]
        return
    answers = [element["result"] for element in document["results"]]
    assert len(answers) == FRAME_COUNT
    if pipeline_id in COMPLETED:
        assert answers == [COMPLETED[pipeline_id]] * FRAME_COUNT


CUT = r"box should end at byte \d+ and the file ends at byte \d+: it is truncated or damaged"
DAMAGED = r"Decoded \d+ of \d+ frames: the file is damaged"


def cut(percent: int) -> Callable[[bytes], bytes]:
    return lambda data: data[: len(data) * percent // 100]


def zeroed(data: bytes) -> bytes:
    start, end = media_range(data)
    return data[:start] + bytes(end - start) + data[end:]


def overwritten(data: bytes) -> bytes:
    start, end = media_range(data)
    middle = (start + end) // 2
    return data[:middle] + np.random.default_rng(0).bytes(20_000) + data[middle + 20_000 :]


@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"])
@pytest.mark.parametrize(
    ("damage", "verdict"),
    [
        *(pytest.param(cut(percent), CUT, id=f"{percent} %") for percent in (30, 60, 90)),
        pytest.param(zeroed, DAMAGED, id="zeroed"),
        pytest.param(overwritten, DAMAGED, id="overwritten"),
    ],
)
@pytest.mark.parametrize("layout", [bytes, index_first], ids=["index last", "index first"])
def test_damage_is_not_success(
    server: ServerProcess,
    name: str,
    damage: Callable[[bytes], bytes],
    verdict: str,
    layout: Callable[[bytes], bytes],
) -> None:
    assert re.search(verdict, failure(server, damage(layout(clip(name).read_bytes()))))


CODECS = {
    "hevc": ("libx265", {"x265-params": "log-level=none"}, {}),
    "av1": ("libsvtav1", {}, {}),
    "vp9": ("libvpx-vp9", {}, {}),
    "mpeg4": ("mpeg4", {}, {}),
    "mpeg2": ("mpeg2video", {}, {}),
    "fragments": ("libx264", {}, {"movflags": "frag_keyframe+empty_moov"}),
    "segments": ("libx264", {}, {"movflags": "frag_keyframe+empty_moov+dash+global_sidx"}),
}


@pytest.mark.parametrize("kind", CODECS)
def test_damage_is_not_success_in_other_formats(
    server: ServerProcess, tmp_path: Path, kind: str
) -> None:
    codec, codec_options, container_options = CODECS[kind]
    whole = encode_clip(
        tmp_path / "whole.mp4",
        textured_frames(24),
        codec=codec,
        codec_options={"g": "6", **codec_options},
        container_options=container_options,
    )
    data, packets = whole.read_bytes(), packet_ranges(whole)
    middle = (packets[12].start + packets[12].stop) // 2

    assert outcome(server, data, "nothing").status_code == 200
    assert re.search(rf"{CUT}|segments should end", failure(server, data[:middle]))
    for lost in (packets, packets[12:], packets[-1:]):
        assert re.search(DAMAGED, failure(server, zero(data, lost)))


@pytest.mark.parametrize("kind", ["fragments", "segments"])
def test_a_missing_fragment_is_not_success(
    server: ServerProcess, tmp_path: Path, kind: str
) -> None:
    whole = encode_clip(
        tmp_path / "whole.mp4",
        textured_frames(24),
        codec_options={"g": "6"},
        container_options=CODECS[kind][2],
    )
    verdict = failure(server, without_fragment(whole.read_bytes(), 1, keep_media=False))
    assert re.search(r"0\.24 seconds are missing|segments should end at byte", verdict)


def test_the_same_clips_whole_are_completed(server: ServerProcess) -> None:
    for name in ("bikes.mp4", "bigbuckbunny.mp4", "carphone_pristine.mp4"):
        assert outcome(server, clip(name), "nothing").status_code == 200
        assert outcome(server, index_first(clip(name).read_bytes()), "nothing").status_code == 200


class TestBombs:
    """Each fails saying which limit it broke, the server stays small, and the next job runs."""

    @pytest.fixture(autouse=True)
    def the_server_stays_small(self, server: ServerProcess) -> Iterator[None]:
        before = server.peak_rss()
        yield
        assert server.peak_rss() - before < 200 * MIB
        assert outcome(server, TINY_MP4, "nothing").status_code == 200

    def test_more_frames_than_announced(self, server: ServerProcess, tmp_path: Path) -> None:
        """An edit list that shows the video twice: found while it is decoded."""
        frames = numbered_frames(MAX_FRAMES // 2 + 1, 16, 16)
        plain = encode_clip(tmp_path / "plain.mp4", frames, codec_options={"bf": "0"})
        twice = numbers(0, 2) + numbers(len(frames) * 40, 0, 0x10000) * 2
        data = change_boxes(plain.read_bytes(), b"elst", lambda _: twice)

        assert f"{MAX_FRAMES + 1} frames or more, the limit is 500" in failure(server, data)

    def test_giant_frames(self, server: ServerProcess, tmp_path: Path) -> None:
        giant = self.giant(tmp_path)
        assert giant.stat().st_size < MIB

        assert "8192 x 8192 pixels is larger than the limit of 35389440" in failure(server, giant)

    def test_giant_frames_behind_small_ones(self, server: ServerProcess, tmp_path: Path) -> None:
        small = encode_clip(
            tmp_path / "small.mp4",
            numbered_frames(8),
            codec_options={"x264-params": "repeat-headers=1"},
        )
        clip = splice(tmp_path / "clip.mp4", [small, self.giant(tmp_path)])

        assert "larger than the limit of 35389440 pixels" in failure(server, clip)

    @pytest.mark.parametrize("movflags", ["faststart", "frag_keyframe+empty_moov"])
    def test_more_frames_than_the_limit(
        self, server: ServerProcess, tmp_path: Path, movflags: str
    ) -> None:
        frames = numbered_frames(MAX_FRAMES + 1, 16, 16)
        options = {"movflags": movflags}
        clip = encode_clip(tmp_path / "clip.mp4", frames, container_options=options)

        assert f"{MAX_FRAMES + 1} frames or more, the limit is 500" in failure(server, clip)

    def test_as_many_frames_as_the_limit(self, server: ServerProcess, tmp_path: Path) -> None:
        clip = encode_clip(tmp_path / "clip.mp4", numbered_frames(MAX_FRAMES, 16, 16))

        assert outcome(server, clip, "nothing").status_code == 200

    def test_an_index_that_lies(self, server: ServerProcess, tmp_path: Path) -> None:
        data = encode_clip(tmp_path / "clip.mp4", numbered_frames(8)).read_bytes()
        data = change_boxes(data, b"stsz", lambda _: numbers(0, 1, 80_000_000))

        assert "80000000 frames or more, the limit is 500" in failure(server, data)

    def giant(self, folder: Path) -> Path:
        black = np.zeros((8192, 8192, 3), np.uint8)
        return encode_clip(
            folder / "giant.mp4",
            [black, black],
            codec_options={"preset": "ultrafast", "x264-params": "repeat-headers=1:threads=1"},
        )


def test_nothing_of_that_was_an_error_of_the_server(server: ServerProcess) -> None:
    job_id = submit(server.base_url, TINY_MP4, "nothing")
    wait_for(server.base_url, job_id, 60)

    assert status(server.base_url, job_id)["status"] == "completed"
    assert "ERROR" not in server.log()
    incoming = server.data_dir / "video_jobs" / ".incoming"
    assert list(incoming.iterdir()) == []
