"""Results as tables of pandas."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from forgesyte_client.findings import detections as detections_in
from forgesyte_client.models import Results


def frames(results: Results) -> pd.DataFrame:
    return _table([frame.result for frame in results], [frame.frame_index for frame in results])


def detections(results: Results) -> pd.DataFrame:
    found = [
        (frame.frame_index, detection)
        for frame in results
        for detection in detections_in(frame.result)
    ]
    return _table([detection for _, detection in found], [index for index, _ in found])


def _table(rows: Sequence[Mapping[str, Any]], frame_indices: list[int]) -> pd.DataFrame:
    table = pd.json_normalize(list(rows))
    table.index = pd.Index(frame_indices, name="frame_index", dtype="int64")
    return table
