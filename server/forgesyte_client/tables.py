"""Results as tables of pandas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from forgesyte_client.findings import detections
from forgesyte_client.models import Frame


def by_frame(frames: Iterable[Frame]) -> pd.DataFrame:
    return _table([(frame.frame_index, frame.result) for frame in frames])


def by_detection(frames: Iterable[Frame]) -> pd.DataFrame:
    return _table(
        [
            (frame.frame_index, detection)
            for frame in frames
            for detection in detections(frame.result)
        ]
    )


def with_timestamps(table: pd.DataFrame, times: Sequence[float]) -> pd.DataFrame:
    """The table with the time of each row's frame before its other columns."""
    table = table.drop(columns="timestamp", errors="ignore")
    seconds = [times[index] for index in table.index]
    table.insert(0, "timestamp", pd.Series(seconds, table.index, "float64"))
    return table


def _table(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> pd.DataFrame:
    table = pd.json_normalize([values for _, values in rows])
    table.index = pd.Index([index for index, _ in rows], name="frame_index", dtype="int64")
    return table
