import io

import pytest

from app.services.video.layout import VideoOnly, inspect
from tests.clips import encode_beside, index_first, second_video, sound, top_level_boxes


@pytest.fixture(scope="module", params=[bytes, index_first], ids=["index last", "index first"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    layout = request.param
    content: bytes = layout(encode_beside(path, 12, sound, second_video).read_bytes())
    return content


def test_frames_are_counted_by_video_track(data: bytes) -> None:
    layout = inspect(io.BytesIO(data), 100)

    assert {n: track.frames for n, track in layout.tracks.items()} == {1: 12, 3: 5}
    assert not layout.fragmented


def test_only_the_index_is_changed_and_it_keeps_its_place(data: bytes) -> None:
    read = VideoOnly(io.BytesIO(data), inspect(io.BytesIO(data), 100)).read(len(data))

    assert top_level_boxes(read) == top_level_boxes(data)
    for kind, start, end in top_level_boxes(data):
        assert (read[start:end] == data[start:end]) is (kind != b"moov")
    assert (data.count(b"soun"), read.count(b"soun")) == (1, 0)
    assert read.count(b"vmhd") == data.count(b"vmhd") == 2


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_reading_in_pieces(data: bytes, size: int) -> None:
    file = VideoOnly(io.BytesIO(data), inspect(io.BytesIO(data), 100))
    whole = file.read(len(data))

    file.seek(0)
    pieces = list(iter(lambda: file.read(size), b""))
    backwards: list[bytes] = []
    for start in range(len(data) // size * size, -1, -size):
        assert file.seek(start) == file.tell() == start
        backwards.insert(0, file.read(size))

    assert b"".join(pieces) == whole
    assert b"".join(backwards) == whole


def test_seeking_to_nowhere_is_no_exception(data: bytes) -> None:
    """FFmpeg follows what a damaged index says."""
    file = VideoOnly(io.BytesIO(data), inspect(io.BytesIO(data), 100))

    assert file.seek(-1) == -1
    assert file.seek(len(data) + 1) == -1
    assert file.seek(0, io.SEEK_END) == len(data)


def test_the_pictures_are_not_read(data: bytes) -> None:
    class Counting(io.BytesIO):
        amount = 0

        def read(self, size: int | None = -1, /) -> bytes:
            content = super().read(size)
            self.amount += len(content)
            return content

    (media,) = [end - start for kind, start, end in top_level_boxes(data) if kind == b"mdat"]
    file = Counting(data)

    inspect(file, 100)

    assert file.amount < len(data) - media + 200
