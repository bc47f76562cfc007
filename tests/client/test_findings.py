"""Tables and plots of results, real and made up."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.patches import Polygon

from app.services.video import reader
from forgesyte_client import Client, Frame, Results
from forgesyte_client.findings import NOTHING, corners, describe, detections, label, runs
from forgesyte_client.plots import first_indices, read_frames, spans
from tests.clips import encode_clip, frame_number, numbered_frames, with_edits, with_matrix
from tests.fixtures.make_tiny_mp4 import CODE, FRAME_COUNT, TEXT, TINY_MP4
from tests.support.server import ServerProcess

mpl.use("agg")


def results_of(*answers: dict[str, Any]) -> Results:
    return Results("1", tuple(Frame(index, answer) for index, answer in enumerate(answers)))


def ocr(*texts: str) -> dict[str, Any]:
    box = {"x": 1, "y": 2, "width": 30, "height": 4}
    blocks = [{"text": text, "confidence": 0.5, "bbox": box} for text in texts]
    return {"text": "\n".join(texts), "blocks": blocks}


@pytest.fixture
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def found(server: ServerProcess) -> dict[str, Results]:
    """What the built-in pipelines find."""
    with Client(server.base_url, progress=False) as client:
        return {name: client.run(TINY_MP4, pipeline_id=name) for name in ("ocr", "barcodes")}


def test_what_the_built_in_pipelines_find_is_understood(found: dict[str, Results]) -> None:
    for name, text in (("ocr", TEXT), ("barcodes", CODE)):
        ((frames, description),) = runs(found[name])
        assert (len(frames), description) == (FRAME_COUNT, text)
        (detection,) = detections(frames[0].result)
        assert label(detection) == text
        assert len(corners(detection)) == 4


def test_descriptions() -> None:
    assert describe(ocr()) == NOTHING
    assert describe(ocr("one", "two")) == "one\ntwo"
    assert describe({"faces": [{"name": "Ada"}], "cars": [{"wheels": 4}]}) == 'Ada\n{"wheels": 4}'
    assert describe({"detections": [{"xyxy": [1, 2, 3, 4], "class_name": "ball"}]}) == "ball"
    assert describe({"players": [{"xyxy": [1, 2, 3, 4]}]}) == "players"
    ball = {"xyxy": [1, 2, 3, 4], "class_id": 7}
    assert describe({"players": [ball, ball]}) == "players 7\nplayers 7"
    assert describe({"shot": 3, "begins": False}) == "shot 3"
    assert describe({"mean": 0.5}) == '{"mean": 0.5}'


def test_outlines() -> None:
    (block,) = detections(ocr("x"))
    assert corners(block) == [(1, 2), (31, 2), (31, 6), (1, 6)]
    points = [{"x": 1, "y": 2}, {"x": 3, "y": 2}, {"x": 3, "y": 4}, {"x": 1, "y": 5}]
    assert corners({"points": points}) == [(1, 2), (3, 2), (3, 4), (1, 5)]
    assert corners({"points": points, "bbox": block["bbox"]}) == corners({"points": points})
    assert corners({"points": [[1, 2], [3, 4], [1, 5]]}) == [(1, 2), (3, 4), (1, 5)]
    assert corners({"xyxy": [1, 2, 31, 6], "class_name": "player"}) == corners(block)
    assert corners({"text": "no box"}) == []
    assert corners({"xyxy": [[1, 2, 31, 6]]}) == []


def test_runs_of_the_same_description() -> None:
    results = results_of(ocr("a"), ocr("a"), ocr(), ocr("a"))
    told = [([frame.frame_index for frame in frames], text) for frames, text in runs(results)]
    assert told == [([0, 1], "a"), ([2], NOTHING), ([3], "a")]


def test_a_table_has_a_row_for_each_frame(found: dict[str, Results]) -> None:
    table = found["ocr"].to_dataframe()
    assert list(table.index) == list(range(FRAME_COUNT))
    assert table.index.name == "frame_index"
    assert list(table["text"]) == [TEXT] * FRAME_COUNT


def test_a_table_has_a_row_for_each_detection() -> None:
    table = results_of(ocr("a", "b"), ocr(), ocr("c")).to_dataframe("detection")
    assert list(table.index) == [0, 0, 2]
    assert list(table["text"]) == ["a", "b", "c"]
    assert list(table["bbox.width"]) == [30, 30, 30]
    assert table["confidence"].dtype == np.float64


@pytest.mark.parametrize("per", ["frame", "detection"])
def test_tables_of_nothing(per: Any) -> None:
    for results in (results_of(), results_of({}, {})):
        table = results.to_dataframe(per)
        assert isinstance(table, pd.DataFrame)
        assert table.index.name == "frame_index"
        assert len(table) == (len(results) if per == "frame" else 0)


def test_a_table_is_per_frame_or_per_detection() -> None:
    wrong: Any = "frames"
    with pytest.raises(ValueError, match="'frames'"):
        results_of(ocr("a")).to_dataframe(wrong)


def test_spans_join_consecutive_frames() -> None:
    assert list(spans([0, 1, 2, 5, 7, 8])) == [(-0.5, 3), (4.5, 1), (6.5, 2)]


@pytest.mark.usefixtures("closed_figures")
def test_the_timeline_shows_what_was_found_when() -> None:
    results = results_of(ocr("first"), ocr("first", "$x$ and more"), ocr(), ocr("first"))
    ax = results.plot()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["first", "$x$ and more"]
    bars = [
        (path.get_extents().x0, path.get_extents().width)
        for collection in ax.collections
        for path in collection.get_paths()
    ]
    assert bars == [(-0.5, 2), (2.5, 1), (0.5, 1)]
    ax.figure.canvas.draw()


@pytest.mark.usefixtures("closed_figures")
def test_the_timeline_shows_the_most_frequent() -> None:
    results = results_of(ocr("rare", "often"), ocr("often"), ocr("seldom" * 20, "often"))
    _, own = plt.subplots()
    ax = results.plot(most=1, ax=own)
    assert ax is own
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["often"]
    assert "1 most frequent of 3" in ax.get_title()
    for nothing in (results_of(), results_of(ocr(), {})):
        assert nothing.plot().get_title() == "nothing was found"


@pytest.mark.usefixtures("closed_figures")
def test_shots_are_bars_and_each_is_shown_by_its_first_frame() -> None:
    numbers = [0, 0, 1, 1, 1, 2]
    results = results_of(
        *({"shot": n, "begins": i == numbers.index(n)} for i, n in enumerate(numbers))
    )
    assert [text.get_text() for text in results.plot().get_yticklabels()] == [
        *("shot 0", "shot 1", "shot 2")
    ]
    assert first_indices(results.frames) == [0, 2, 5]
    assert list(results.to_dataframe()["begins"]) == [True, False, True, False, False, True]


@pytest.mark.usefixtures("closed_figures")
def test_the_timeline_of_measurements_has_a_line_for_each() -> None:
    ax = results_of(
        {"sharpness": 200.0, "black": True, "level": 0}, {"sharpness": 50.0, "level": 0}, {}
    ).plot()
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in ax.get_lines()}
    assert lines.keys() == {"sharpness (up to 200)", "level (up to 0)"}
    np.testing.assert_array_equal(lines["sharpness (up to 200)"], [1, 0.25, np.nan])
    np.testing.assert_array_equal(lines["level (up to 0)"], [0, 0, np.nan])


@pytest.mark.usefixtures("closed_figures")
def test_frames_are_shown_with_their_boxes(found: dict[str, Results]) -> None:
    for name, text in (("ocr", TEXT), ("barcodes", CODE)):
        figure = found[name].plot_frames(TINY_MP4)
        (ax,) = figure.axes
        assert ax.get_title() == "frame 0"
        (picture,) = ax.get_images()
        assert np.asarray(picture.get_array()).shape == (240, 320, 3)
        (box,) = [patch for patch in ax.patches if isinstance(patch, Polygon)]
        expected = np.array(corners(detections(found[name][0].result)[0]))
        margins = box.get_xy()[:4] - expected
        np.testing.assert_array_equal(np.abs(margins), 3)
        assert ((margins > 0) == (expected > expected.mean(axis=0))).all()
        assert [words.get_text() for words in ax.texts] == [text]


@pytest.mark.usefixtures("closed_figures")
def test_the_frames_shown_are_the_right_ones(tmp_path: Path) -> None:
    video = encode_clip(tmp_path / "video.mp4", numbered_frames(12))
    answers = [ocr("x") if index in (3, 4, 9) else ocr() for index in range(12)]
    results = results_of(*answers)
    figure = results.plot_frames(video)
    assert [ax.get_title() for ax in figure.axes] == ["frame 3", "frame 9"]
    figure = results.plot_frames(video, [11, 0, 5], columns=2)
    pictures = [ax.get_images()[0].get_array() for ax in figure.axes[:3]]
    assert [frame_number(np.asarray(picture)) for picture in pictures] == [11, 0, 5]
    assert len(figure.axes) == 4
    with pytest.raises(IndexError, match="no frame 12"):
        results.plot_frames(video, [12])


@pytest.mark.parametrize(
    "matrix",
    [
        *((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)),
        *((-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)),
    ],
)
def test_frames_are_counted_and_turned_as_the_server_does(
    tmp_path: Path, matrix: tuple[int, int, int, int]
) -> None:
    images = numbered_frames(3)
    for image in images:
        image[:48, :64] = 230
    video = encode_clip(tmp_path / "video.mp4", images)
    video.write_bytes(with_matrix(video.read_bytes(), *matrix))
    pictures = dict(read_frames(video, {0, 1, 2}))
    assert pictures[1].shape == ((96, 128, 3) if matrix[0] else (128, 96, 3))
    limits = {"frame_stride": 1, "max_frame_pixels": 10**6, "max_video_frames": 10}
    for frame in reader.read_frames(video, **limits):
        difference = pictures[frame.index].astype(int) - frame.image[:, :, ::-1]
        assert np.abs(difference).max() < 3


def made_of(count: int) -> Results:
    return results_of(*[ocr("x")] * count)


def test_a_table_tells_when_frames_are_shown(tmp_path: Path) -> None:
    plain = encode_clip(tmp_path / "plain.mp4", numbered_frames(12))
    table = made_of(12).to_dataframe(video=plain)
    assert list(table.columns) == ["timestamp", "text", "blocks"]
    np.testing.assert_allclose(table["timestamp"], np.arange(12) / 25)
    twice = results_of(ocr("a"), ocr("b", "c"), *[ocr()] * 10).to_dataframe(
        "detection", video=plain
    )
    np.testing.assert_allclose(twice["timestamp"], [0, 0.04, 0.04])
    with pytest.raises(ValueError, match="has 12 frames, but the results are of 11"):
        made_of(11).to_dataframe(video=plain)
    assert list(results_of().to_dataframe().columns) == []


def test_times_are_those_of_a_variable_rate(tmp_path: Path) -> None:
    times = [0, 10, 43, 543, 1500, 1501, 1600, 9000]
    video = tmp_path / "variable.mp4"
    with av.open(video, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, image in zip(times, numbered_frames(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    table = made_of(len(times)).to_dataframe(video=video)
    np.testing.assert_allclose(table["timestamp"], np.array(times) / 1000)


@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        ([(-1, 25), (0, 24)], [(n, 1 + n / 25) for n in range(24)]),
        ([(6, 12)], [(6 + n, n / 25) for n in range(12)]),
        ([(0, 6), (12, 6)], [(n if n < 6 else n + 6, n / 25) for n in range(12)]),
        ([(0, 6), (0, 6)], [(n % 6, n / 25) for n in range(12)]),
        ([(0, 6), (-1, 25), (6, 18)], [(n, n / 25 + (n >= 6)) for n in range(24)]),
        (
            [(-1, 5), (0, 6), (-1, 25), (6, 6), (-1, 5), (12, 12), (-1, 3)],
            [(n, n / 25 + 0.2 + (n >= 6) + 0.2 * (n >= 12)) for n in range(24)],
        ),
    ],
    ids=["delay", "trim", "cut", "repeat", "gap", "gaps"],
)
def test_times_are_those_of_an_edit_list(
    tmp_path: Path, edits: list[tuple[int, int]], shown: list[tuple[int, float]]
) -> None:
    """An edit is its first frame (-1: show nothing) and how many frames it lasts."""
    whole = encode_clip(tmp_path / "whole.mp4", numbered_frames(24), codec_options={"g": "6"})
    parts = [(40 * length, 512 * (2 + first) if first >= 0 else -1) for first, length in edits]
    clip = tmp_path / "edited.mp4"
    clip.write_bytes(with_edits(whole.read_bytes(), *parts))
    table = made_of(len(shown)).to_dataframe(video=clip)
    np.testing.assert_allclose(table["timestamp"], [time for _, time in shown], atol=1e-6)
    limits = {"frame_stride": 1, "max_frame_pixels": 10**6, "max_video_frames": 100}
    told = [frame.timestamp for frame in reader.read_frames(clip, **limits)]
    np.testing.assert_allclose(table["timestamp"], told)
    pictures = dict(read_frames(clip, set(range(len(shown)))))
    assert [frame_number(picture) for picture in pictures.values()] == [n for n, _ in shown]
