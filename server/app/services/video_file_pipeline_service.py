"""A pipeline run over the frames of a video file."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.services.video.parallel import ParallelFrames, usable_processors
from app.services.video.payload import FramePayload


class DagService(Protocol):
    """Whatever can run a pipeline on one frame.

    It may have two methods more:

    is_pure(pipeline_id) -> bool: asked once a file. True when an answer depends on the frame's
        pixels alone. `run_pipeline` is then called from several threads, in any order, and not for
        frames whose pixels are those of one a little before.
    check_interrupted(): called before each frame that `run_pipeline` may not be called for; what
        it raises ends the run.
    """

    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> Any:
        """Return the frame's result: a dict, or what the caller of `run_on_file` makes one of."""
        ...


class PipelineOpener(ABC):
    """Has a DagService for each file, so that nothing goes from one file to the next."""

    @abstractmethod
    def open(self, pipeline_id: str) -> AbstractContextManager[DagService]:
        """The DagService for one run over one file; the block ends with the run."""


class VideoFilePipelineService:
    """Decodes MP4 files and hands their frames to a DagService.

    They go one after another, each of them, on the calling thread; if the DagService says that the
    pipeline is pure, on one thread for each usable processor.
    """

    def __init__(
        self,
        dag_service: DagService | PipelineOpener,
        *,
        max_frame_pixels: int = DEFAULT_MAX_FRAME_PIXELS,
        max_video_frames: int = DEFAULT_MAX_VIDEO_FRAMES,
    ) -> None:
        self._dag_service = dag_service
        self._max_frame_pixels = max_frame_pixels
        self._max_video_frames = max_video_frames

    def run_on_file(
        self,
        mp4_path: str | Path,
        pipeline_id: str,
        frame_stride: int = 1,
        max_frames: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return `[{"frame_index": int, "result": dict}, ...]`, one element for each frame run.

        Frames 0, frame_stride, 2 * frame_stride, ... are run, at most `max_frames` of them. The
        result is for the whole video or none: a file that is cut off, damaged or beyond a limit
        raises, unless `max_frames` were run before that showed.

        Raises ValueError for a frame_stride or max_frames that is no whole number of at least 1,
        VideoError (a ValueError too) for the file, FileNotFoundError when there is none, and
        whatever the pipeline raises. The file is closed in every case.
        """
        _require_positive("frame_stride", frame_stride)
        if max_frames is not None:
            _require_positive("max_frames", max_frames)

        from app.services.video.reader import read_frames  # loads PyAV: not before the first job

        frames = read_frames(
            Path(mp4_path),
            frame_stride=frame_stride,
            max_frame_pixels=self._max_frame_pixels,
            max_video_frames=self._max_video_frames,
        )
        with self._opened(pipeline_id) as dag_service, closing(frames):
            payloads = (FramePayload(frame.index, frame, frame.timestamp) for frame in frames)
            answers = _answers(dag_service, pipeline_id, islice(payloads, max_frames))
            return [{"frame_index": index, "result": result} for index, result in answers]

    def _opened(self, pipeline_id: str) -> AbstractContextManager[DagService]:
        if isinstance(self._dag_service, PipelineOpener):
            return self._dag_service.open(pipeline_id)
        return nullcontext(self._dag_service)


def _answers(
    dag_service: DagService, pipeline_id: str, payloads: Iterable[FramePayload]
) -> Iterator[tuple[int, Any]]:
    run = partial(dag_service.run_pipeline, pipeline_id)
    if getattr(dag_service, "is_pure", _never)(pipeline_id) is True:
        check = getattr(dag_service, "check_interrupted", _nothing)
        return ParallelFrames(run, check, usable_processors()).run(payloads)
    return ((payload.frame_index, run(payload)) for payload in payloads)


def _never(pipeline_id: str) -> bool:
    return False


def _nothing() -> None:
    pass


def _require_positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
