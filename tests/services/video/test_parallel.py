import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import TruncatedVideo
from app.services.pipelines.registry import PipelineRegistry
from app.services.video.parallel import AHEAD, RECENT, ParallelFrames, most_unordered
from app.services.video.payload import FramePayload
from app.services.video_file_pipeline_service import VideoFilePipelineService
from tests.clips import encode_clip, frame_number, numbered_frames
from tests.services.pipelines.drawing import page
from tests.support import footage

THREADS = 4


class Answering:
    """A DagService of a pure pipeline; `asked` has the frames that it was called with."""

    def __init__(self, answer: Callable[[FramePayload], Any] = lambda _: {}) -> None:
        self._answer = answer
        self.asked: list[int] = []

    def is_pure(self, pipeline_id: str) -> bool:
        return True

    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> Any:
        self.asked.append(payload.frame_index)
        return self._answer(payload)


class Picture:
    """Of one colour."""

    def __init__(self, colour: int) -> None:
        self.digest = colour.to_bytes(16, "big")
        self.image = np.full((2, 2, 3), colour % 256, np.uint8)


def payloads(*colours: int) -> Iterator[FramePayload]:
    return (
        FramePayload(n, Picture(colour), 0.0)  # type: ignore[arg-type]
        for n, colour in enumerate(colours)
    )


def run(answer: Callable[[FramePayload], Any], frames: Iterator[FramePayload]) -> list[Any]:
    return [*ParallelFrames(answer, lambda: None, THREADS).run(frames)]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("frames")]


def test_answers_are_in_order_though_frames_end_in_another() -> None:
    ended: list[int] = []

    def answer(payload: FramePayload) -> int:
        time.sleep(0.02 if payload.frame_index % 4 == 0 else 0)
        ended.append(payload.frame_index)
        return payload.frame_index

    assert run(answer, payloads(*range(40))) == [(n, n) for n in range(40)]
    assert ended != sorted(ended)


def test_several_frames_run_at_once_and_few_are_held() -> None:
    together = threading.Barrier(THREADS + 1)
    read: list[int] = []
    held: list[int] = []

    def answer(payload: FramePayload) -> None:
        if payload.frame_index < THREADS:
            together.wait(10)
            together.wait(10)

    def look() -> None:
        together.wait(10)
        time.sleep(0.2)  # in which more could be read
        held.append(len(read))
        together.wait(10)

    def reading() -> Iterator[FramePayload]:
        for payload in payloads(*range(100)):
            read.append(payload.frame_index)
            yield payload

    looking = threading.Thread(target=look)
    looking.start()
    run(answer, reading())
    looking.join()
    assert THREADS <= held[0] <= THREADS + AHEAD + 1


def test_no_more_than_a_bound_is_answered_behind_a_frame_that_is_not() -> None:
    others_ended = threading.Event()
    ended: list[int] = []

    def answer(payload: FramePayload) -> None:
        if payload.frame_index == 0:
            assert not others_ended.wait(0.5)
        ended.append(payload.frame_index)
        if len(ended) > most_unordered(THREADS) + THREADS + AHEAD:
            others_ended.set()

    run(answer, payloads(*range(200)))


def test_the_answer_to_an_equal_frame_is_shared() -> None:
    asked: list[int] = []

    def answer(payload: FramePayload) -> dict[str, int]:
        asked.append(payload.frame_index)
        return {"from": payload.frame_index}

    answers = dict(run(answer, payloads(1, 2, 1, 2, 3, 1)))

    assert sorted(asked) == [0, 1, 4]
    assert answers[0] is answers[2] is answers[5]
    assert answers[1] is answers[3]


@pytest.mark.parametrize(("others", "is_known"), [(RECENT - 1, True), (RECENT, False)])
def test_how_far_back_a_frame_is_known(others: int, is_known: bool) -> None:
    asked: list[int] = []

    run(lambda p: asked.append(p.frame_index), payloads(0, *range(1, others + 1), 0))

    assert (others + 1 in asked) is not is_known


class Left(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, Left])
def test_the_first_error_in_order_is_raised(error: type[BaseException]) -> None:
    later_failed = threading.Event()
    begun: list[int] = []

    def answer(payload: FramePayload) -> None:
        begun.append(payload.frame_index)
        if payload.frame_index == 5:
            later_failed.wait(10)
            raise error("the earlier frame")
        if payload.frame_index == 6:
            later_failed.set()
            raise error("the later frame")

    with pytest.raises(error, match="the earlier frame"):
        run(answer, payloads(*range(1000)))
    assert len(begun) < 100


@pytest.mark.parametrize("fails", [True, False])
def test_an_error_of_reading_comes_after_those_of_the_frames_before(fails: bool) -> None:
    def reading() -> Iterator[FramePayload]:
        yield from payloads(1, 2, 3)
        raise TruncatedVideo("cut off")

    def answer(payload: FramePayload) -> None:
        time.sleep(0.05)
        if fails and payload.frame_index == 1:
            raise ValueError("frame 1")

    with pytest.raises(ValueError, match="frame 1" if fails else "cut off"):
        run(answer, reading())


@pytest.mark.parametrize("colours", [range(10**6), [7] * 10**6], ids=["different", "equal"])
def test_an_interruption_ends_it_within_a_frame(colours: Any) -> None:
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) == 50:
            raise Left

    frames = ParallelFrames(lambda _: time.sleep(0.001), check, THREADS)
    with pytest.raises(Left):
        [*frames.run(payloads(*colours))]
    assert len(checks) == 50


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages that are shown again and again, without loss."""
    pages = [page([f"Slide {n}", "Mind the gap"]) for n in (1, 2)]
    order = [0, 0, 0, 1, 0, 1, 1, 0]
    return encode_clip(
        tmp_path_factory.mktemp("slides") / "slides.mp4",
        [pages[n] for n in order],
        codec_options={"qp": "0"},
    )


class Plain:
    """The same pipeline without threads or reuse."""

    def __init__(self, pipeline_id: str) -> None:
        self._pipeline = PipelineRegistry().open(pipeline_id)

    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> Any:
        return self._pipeline.run_pipeline(pipeline_id, payload)


@pytest.mark.parametrize("pipeline_id", ["objects", "ocr", "barcodes", "quality"])
def test_results_are_those_without_threads_and_reuse(slides: Path, pipeline_id: str) -> None:
    for video in (slides, footage.clip("carphone_pristine.mp4")):
        plain = VideoFilePipelineService(Plain(pipeline_id)).run_on_file(video, pipeline_id)
        shared = VideoFilePipelineService(PipelineRegistry()).run_on_file(video, pipeline_id)

        assert shared == plain


def test_pages_that_are_shown_again_are_not_asked_for_again(slides: Path) -> None:
    pages = Answering(lambda payload: {"sum": int(payload["frame"].sum())})

    results = VideoFilePipelineService(pages).run_on_file(slides, "any", frame_stride=1)

    assert len(results) == 8
    assert len(pages.asked) == 2


def test_stride_and_maximum_hold(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "clip.mp4", numbered_frames(20))
    numbers = Answering(lambda payload: frame_number(payload["frame"]))

    results = VideoFilePipelineService(numbers).run_on_file(clip, "any", 3, 4)

    assert [(r["frame_index"], r["result"]) for r in results] == [(n, n) for n in (0, 3, 6, 9)]
    assert sorted(numbers.asked) == [0, 3, 6, 9]


def test_a_pipeline_that_paints_its_frame_paints_no_other(tmp_path: Path) -> None:
    clip = encode_clip(tmp_path / "clip.mp4", numbered_frames(6))

    def paint(payload: FramePayload) -> int:
        seen = frame_number(payload["frame"])
        payload["frame"][:] = 0
        return seen

    for service in (Answering(paint), Painting(paint)):
        results = VideoFilePipelineService(service).run_on_file(clip, "any")
        assert [r["result"] for r in results] == list(range(6))


class Painting:
    def __init__(self, answer: Callable[[FramePayload], Any]) -> None:
        self._answer = answer

    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> Any:
        return self._answer(payload)


def test_a_pure_pipeline_that_lies_still_has_one_answer_a_frame(slides: Path) -> None:
    """It counts: its answers are shared all the same, and nothing is lost or out of order."""
    count = iter(range(100))
    results = VideoFilePipelineService(Answering(lambda _: next(count))).run_on_file(slides, "any")

    assert [r["frame_index"] for r in results] == list(range(8))
    assert {r["result"] for r in results} == {0, 1}
