"""Results as pictures of matplotlib."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import atan2, ceil, copysign, pi
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from av.video.frame import VideoFrame
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from forgesyte_client.findings import corners, detections, labelled, labels, numbers, runs
from forgesyte_client.models import Frame
from forgesyte_client.video import opened

FRAMES_SHOWN = 6
LABEL_CHARACTERS = 40
LABEL_HEIGHT = 0.08
"""Of the picture's: what a label needs above an outline, or it is put inside."""
OUTLINE = "#e6194b"
OUTLINE_MARGIN_PIXELS = 3.0


def timeline(frames: Sequence[Frame], *, most: int, ax: Axes | None) -> Axes:
    seen = indices_by_label(frames)
    if ax is None:
        height = 1 + 0.3 * min(len(seen), most) if seen else 3
        _, ax = plt.subplots(figsize=(9, height), layout="constrained")
    if seen:
        draw_bars(ax, seen, most)
    else:
        draw_lines(ax, frames)
    ax.set_xlim(-0.5, max((frame.frame_index for frame in frames), default=0) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("frame")
    return ax


def draw_bars(ax: Axes, seen: Mapping[str, Sequence[int]], most: int) -> None:
    """A row for each of the labels seen in most frames, from top to bottom as they turn up."""
    frequent = sorted(seen, key=lambda name: -len(seen[name]))[:most]
    rows = sorted(frequent, key=lambda name: seen[name][0])
    for row, name in enumerate(rows):
        ax.broken_barh(list(spans(seen[name])), (row - 0.35, 0.7))
    ax.set_yticks(range(len(rows)), [shortened(name) for name in rows], parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    if len(rows) < len(seen):
        ax.set_title(f"the {len(rows)} most frequent of {len(seen)} findings")


def draw_lines(ax: Axes, frames: Sequence[Frame]) -> None:
    """A line for each number that the frames have, all of them scaled to one height."""
    names = {name for frame in frames for name in numbers(frame.result)}
    if not names:
        ax.set_title("nothing was found")
        return
    indices = [frame.frame_index for frame in frames]
    for name in sorted(names):
        values = np.array([numbers(frame.result).get(name, np.nan) for frame in frames])
        largest = np.nanmax(np.abs(values))
        ax.plot(indices, values / (largest or 1), label=f"{name} (up to {largest:.3g})")
    ax.legend()
    ax.set_ylabel("share of the largest value")


def pictures(
    frames: Sequence[Frame], video: Path, frame_indices: Sequence[int] | None, *, columns: int
) -> Figure:
    wanted = first_indices(frames) if frame_indices is None else list(frame_indices)
    found = {frame.frame_index: labelled(frame.result) for frame in frames}
    columns = max(1, min(columns, len(wanted)))
    rows = max(1, ceil(len(wanted) / columns))
    figure, grid = plt.subplots(
        rows, columns, figsize=(4 * columns, 3 * rows), squeeze=False, layout="constrained"
    )
    images = dict(read_frames(video, set(wanted)))
    for ax in grid.flat:
        ax.set_axis_off()
    for ax, index in zip(grid.flat, wanted, strict=False):
        ax.imshow(images[index])
        ax.set_title(f"frame {index}")
        for name, detection in found.get(index, []):
            outline(ax, corners(detection), name)
    return figure


def indices_by_label(frames: Iterable[Frame]) -> dict[str, list[int]]:
    """The frames in which each label was seen, in order."""
    seen = defaultdict(list)
    for frame in frames:
        for name in {*labels(frame.result)}:
            seen[name].append(frame.frame_index)
    return dict(seen)


def spans(indices: Sequence[int]) -> Iterator[tuple[float, int]]:
    """Where the bars of consecutive frames begin, and how long they are."""
    for _, group in groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0]):
        span = [index for _, index in group]
        yield span[0] - 0.5, len(span)


def first_indices(frames: Iterable[Frame]) -> list[int]:
    """The first frame of each of the first findings, or of the video if there are none."""
    beginnings = [run[0] for run, _ in runs(frames)]
    found = [frame.frame_index for frame in beginnings if detections(frame.result)]
    return (found or [frame.frame_index for frame in beginnings])[:FRAMES_SHOWN]


def read_frames(path: Path, wanted: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Decode the wanted frames, upright, as height × width × 3 RGB, counted as the server does.

    Raises:
        IndexError: the video ends before the last of them.
    """
    left = set(wanted)
    with opened(path) as (container, stream, _):
        for index, frame in enumerate(container.decode(stream)):
            if not left:
                return
            if index in left:
                left.remove(index)
                yield index, upright(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), frame)
    if left:
        raise IndexError(f"{path.name} has no frame {min(left)}")


def upright(image: NDArray[np.uint8], frame: VideoFrame) -> NDArray[np.uint8]:
    """Turned and mirrored as the display matrix says: (x, y) goes to (a x + c y, b x + d y)."""
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV has no name for other data of the frame, and lists none then
        return np.rot90(image, round(frame.rotation / 90))
    if matrix is None:
        return image
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    if a * d < b * c:
        image = image[::-1]
    return np.rot90(image, -round(atan2(b, a) / (pi / 2)))


def outline(ax: Axes, points: Sequence[tuple[float, float]], text: str) -> None:
    if not points:
        return
    line = around(points)
    ax.add_patch(Polygon(line, fill=False, edgecolor=OUTLINE, linewidth=1))
    left, top = max(0, min(x for x, _ in line)), max(0, min(y for _, y in line))
    has_room_above = top > LABEL_HEIGHT * max(ax.get_ylim())
    ax.annotate(
        shortened(text),
        (left, top),
        xytext=(0, 7 if has_room_above else -10),
        textcoords="offset points",
        color="white",
        backgroundcolor=OUTLINE,
        fontsize=8,
        parse_math=False,
    )


def around(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points, moved away from their middle, so that a line through them hides nothing inside.

    What is found often ends at its outline: the letters of a text do.
    """
    middle_x, middle_y = np.mean(points, axis=0)
    return [
        (
            x + copysign(OUTLINE_MARGIN_PIXELS, x - middle_x),
            y + copysign(OUTLINE_MARGIN_PIXELS, y - middle_y),
        )
        for x, y in points
    ]


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LABEL_CHARACTERS else f"{line[: LABEL_CHARACTERS - 1]}…"
