"""A pipeline run over the frames of a video file."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.services.video.payload import FramePayload


class DagService(Protocol):
    """Whatever can run a pipeline on one frame."""

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the pipeline's answer; the payload is a FramePayload."""
        ...


class VideoFilePipelineService:
    """Decodes MP4 files and hands their frames to a DagService, one after another."""

    def __init__(
        self,
        dag_service: DagService,
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
        results: list[dict[str, Any]] = []
        with closing(frames):
            for index, frame in frames:
                result = self._dag_service.run_pipeline(pipeline_id, FramePayload(index, frame))
                results.append({"frame_index": index, "result": result})
                if len(results) == max_frames:
                    break
        return results


def _require_positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
