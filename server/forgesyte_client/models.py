"""What the server answers, as types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from forgesyte_client.errors import ForgeSyteClientError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self in (JobStatus.COMPLETED, JobStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """`progress` is 0, 0.5 or 1; the times are in UTC."""

    job_id: str
    status: JobStatus
    progress: float
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            job_id=body["job_id"],
            status=JobStatus(body["status"]),
            progress=body["progress"],
            created_at=datetime.fromisoformat(body["created_at"]),
            updated_at=datetime.fromisoformat(body["updated_at"]),
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """What the pipeline found in one frame, counted from 0."""

    frame_index: int
    result: dict[str, Any]


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

    def to_dataframe(self, per: Literal["frame", "detection"] = "frame") -> "pd.DataFrame":
        """A table indexed by frame_index: a row for each frame, or for each detection.

        Objects within objects become columns of their own: `bbox.x`. A frame without a detection
        has no row in the table of detections. Needs pandas.
        """
        from forgesyte_client import tables

        match per:
            case "frame":
                return tables.frames(self)
            case "detection":
                return tables.detections(self)
        raise ValueError(f"There is a row per 'frame' or per 'detection', not per {per!r}.")

    def plot(self, *, most: int = 20, ax: "Axes | None" = None) -> "Axes":
        """A timeline: in which frames each of the `most` frequent findings was seen.

        Of a pipeline that measures instead, a line for each of its numbers. Needs matplotlib.
        """
        from forgesyte_client import plots

        return plots.timeline(self, most=most, ax=ax)

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

        return plots.frames(self, Path(video), frame_indices, columns=columns)


@dataclass(frozen=True, slots=True)
class Done:
    """One file of many: its results, or the error that it ended with."""

    path: Path
    job_id: str | None = None
    results: Results | None = None
    error: ForgeSyteClientError | OSError | None = None
