"""The results of a job, and the ways to look at them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from forgesyte_client.errors import ForgeSyteClientError
from forgesyte_client.models import Frame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a completed job: a sequence of frames, in order."""

    job_id: str
    frames: tuple[Frame, ...]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(body["job_id"], tuple(Frame(**frame) for frame in body["results"]))

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, position: int) -> Frame:
        return self.frames[position]

    def to_json(self) -> dict[str, Any]:
        """The document as the server gave it."""
        frames = [{"frame_index": f.frame_index, "result": f.result} for f in self.frames]
        return {"job_id": self.job_id, "results": frames}

    def to_dataframe(
        self,
        per: Literal["frame", "detection"] = "frame",
        *,
        video: str | PathLike[str] | None = None,
    ) -> "pd.DataFrame":
        """A table indexed by frame_index: a row for each frame, or for each detection.

        Objects within objects become columns of their own: `bbox.x`. A frame without a detection
        has no row in the table of detections. With the submitted `video`, the first column is the
        frame's `timestamp`, in the place of one that the results have: seconds from the start of
        the presentation, as a player counts them. Needs pandas, and PyAV for a `video`.

        Raises:
            ValueError: it has another number of frames than the results, or is no video.
            OSError: it cannot be read.
        """
        from forgesyte_client import tables

        match per:
            case "frame":
                table = tables.by_frame(self.frames)
            case "detection":
                table = tables.by_detection(self.frames)
            case _:
                raise ValueError(f"There is a row per 'frame' or per 'detection', not per {per!r}.")
        if video is None:
            return table
        from forgesyte_client.video import frame_times

        times = frame_times(Path(video), max((f.frame_index for f in self), default=-1) + 1)
        return tables.with_timestamps(table, times)

    def plot(self, *, most: int = 20, ax: "Axes | None" = None) -> "Axes":
        """A timeline: in which frames each of the `most` frequent findings was seen.

        Of a pipeline that measures instead, a line for each of its numbers. Needs matplotlib.
        """
        from forgesyte_client import plots

        return plots.timeline(self.frames, most=most, ax=ax)

    def plot_frames(
        self,
        video: str | Path,
        frame_indices: "list[int] | None" = None,
        *,
        columns: int = 3,
    ) -> "Figure":
        """Frames of the submitted video with what was found in them outlined.

        Without `frame_indices`, the first frame of each of the first six findings. Needs
        matplotlib and PyAV.
        """
        from forgesyte_client import plots

        return plots.pictures(self.frames, Path(video), frame_indices, columns=columns)


@dataclass(frozen=True, slots=True)
class Done:
    """One file of many: its results, or the error that it ended with."""

    path: Path
    job_id: str | None = None
    results: Results | None = None
    error: ForgeSyteClientError | OSError | None = None
