"""What a frame costs: decoding it, looking at it, and not looking at it again.

Designs that are compared take turns, and the best of several rounds counts: the machine may have
other things to do.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import av
import numpy as np

from app.services.pipelines.registry import PipelineRegistry
from app.services.video_file_pipeline_service import VideoFilePipelineService
from benchmarks import recordings
from benchmarks.report import Cell, Report, Table, Target
from tests.clips import encode_clip
from tests.services.pipelines.drawing import code, page, paste
from tests.support.footage import FRAME_COUNTS, clip

ROUNDS = 7
LINES = ["Platform 9 to London", "Mind the gap", "Departs at 11:45", "Calling at Reading"]


class Calls:
    """A DagService that calls one function a frame."""

    def __init__(self, pipeline: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self._pipeline = pipeline

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return self._pipeline(payload)


def nothing(payload: Mapping[str, Any]) -> dict[str, Any]:
    payload["frame"]
    return {}


def bare_loop(path: Path) -> None:
    """The shortest way to the same pixels, with no judgement of the file."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frame.to_ndarray(format="bgr24")


def run_on_file(path: Path) -> None:
    VideoFilePipelineService(Calls(nothing)).run_on_file(path, "nothing")


class Cost(NamedTuple):
    """Of the fastest round, in seconds; `cpu` of all threads together."""

    wall: float
    cpu: float


def fastest(functions: Mapping[str, Callable[[], object]]) -> dict[str, Cost]:
    """The best round of each, taking turns."""
    best = dict.fromkeys(functions, Cost(float("inf"), float("inf")))
    for _ in range(ROUNDS):
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            cost = Cost(time.perf_counter() - wall, time.process_time() - cpu)
            best[name] = min(best[name], cost)
    return best


def measure(folder: Path) -> Report:
    decoded, ratios = decoding()
    tables, targets = recordings.measure(folder)
    return Report(
        [decoded, overlap(), pipelines(folder), *tables],
        [
            *targets,
            Target(
                "frames/s of a pipeline that does nothing, × a bare loop",
                median(ratios),
                0.95,
                at_least=True,
            ),
        ],
    )


def decoding() -> tuple[Table, list[float]]:
    """A bare PyAV loop beside a pipeline that does nothing."""
    rows: list[list[Cell]] = []
    ratios = []
    for name, count in FRAME_COUNTS.items():
        path = clip(name)
        costs = fastest({"bare": partial(bare_loop, path), "ours": partial(run_on_file, path)})
        bare, ours = costs["bare"], costs["ours"]
        ratios.append(bare.wall / ours.wall)
        cpu = [cost.cpu / count * 1000 for cost in (bare, ours)]
        rows.append([name, count / bare.wall, count / ours.wall, ratios[-1], *cpu])
    columns = ("", "bare frames/s", "ours frames/s", "ratio", "bare CPU ms", "ours CPU ms")
    return Table(f"Decoding, best of {ROUNDS}", columns, rows), ratios


def overlap() -> Table:
    """A pipeline that leaves the processor alone while decoding goes on behind it."""
    name = "bigbuckbunny.mp4"
    pause = 0.004

    def wait(payload: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(pause)
        return {}

    def only_wait() -> None:
        for _ in range(FRAME_COUNTS[name]):
            time.sleep(pause)

    service = VideoFilePipelineService(Calls(wait))
    costs = fastest(
        {
            "decoding": partial(run_on_file, clip(name)),
            "waiting": only_wait,
            "both": partial(service.run_on_file, clip(name), "wait"),
        }
    )
    row: list[Cell] = [name, *(cost.wall / FRAME_COUNTS[name] * 1000 for cost in costs.values())]
    return Table("Decoding goes on behind the pipeline, ms a frame", ("", *costs), [row])


def pipelines(folder: Path) -> Table:
    """The built-in pipelines, decoding included, and JPEG beside them, each in its own process."""
    videos = {
        "640x480, 4 lines of text": encode_clip(folder / "text.mp4", [page(LINES)] * 10),
        "640x480, 2 codes": encode_clip(folder / "codes.mp4", [page_of_codes()] * 10),
        "640x272, footage": clip("bikes.mp4"),
        "1280x720, footage": clip("bigbuckbunny.mp4"),
    }
    spawn = get_context("spawn")
    rows: list[list[Cell]] = []
    for pipeline_id in ("ocr", "barcodes", "quality", "jpeg"):
        with ProcessPoolExecutor(1, spawn) as process:
            rows.append(process.submit(costs_of, pipeline_id, [*videos.values()]).result())
    return Table("Pipelines, ms a frame", ("", *videos, "RSS MiB afterwards"), rows)


def costs_of(pipeline_id: str, videos: Sequence[Path]) -> list[Cell]:
    """A row: milliseconds a frame of each video, and the memory of this process afterwards."""
    dag_service = (
        Calls(lambda payload: {"bytes": len(payload["image_bytes"])})
        if pipeline_id == "jpeg"
        else PipelineRegistry()
    )
    times = [milliseconds(dag_service, pipeline_id, path) for path in videos]
    return [pipeline_id, *times, resident_megabytes()]


def page_of_codes() -> np.ndarray[Any, np.dtype[np.uint8]]:
    import zxingcpp

    frame = page([])
    paste(frame, code("gate 7", zxingcpp.BarcodeFormat.QRCode), 40, 40)
    paste(frame, code("4006381333931", zxingcpp.BarcodeFormat.EAN13, 2), 320, 240)
    return frame


def milliseconds(dag_service: Any, pipeline_id: str, path: Path) -> float:
    """Milliseconds a frame, decoding included, once everything is loaded."""
    service = VideoFilePipelineService(dag_service)
    service.run_on_file(path, pipeline_id, max_frames=1)
    started = time.perf_counter()
    results = service.run_on_file(path, pipeline_id)
    return (time.perf_counter() - started) / len(results) * 1000


def resident_megabytes() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmRSS"))) / 1024
