"""What a frame costs: decoding it, and looking at it.

`python -m tests.benchmarks.frames` prints one line for each measurement. Designs that are compared
take turns, and the best of several rounds counts: the machine may have other things to do.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import av
import numpy as np

from app.services.pipelines.registry import PipelineRegistry
from app.services.video_file_pipeline_service import VideoFilePipelineService
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


def decoding() -> None:
    print("frames/s (and ms of processor a frame) of a bare PyAV loop, and with a pipeline that")
    print("does nothing; beside other work on the machine trust the processor time")
    for name, count in FRAME_COUNTS.items():
        path = clip(name)
        costs = fastest({"bare": partial(bare_loop, path), "ours": partial(run_on_file, path)})
        columns = "   ".join(
            f"{key} {count / cost.wall:6.0f} ({cost.cpu / count * 1000:.2f})"
            for key, cost in costs.items()
        )
        print(f"  {name:24} {columns}   ratio {costs['bare'].wall / costs['ours'].wall:.2f}")


def overlap() -> None:
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
    print(f"ms a frame, {name}: decoding goes on behind the pipeline")
    print(
        "  " + "   ".join(f"{k} {c.wall / FRAME_COUNTS[name] * 1000:.2f}" for k, c in costs.items())
    )


def pipelines() -> None:
    registry = PipelineRegistry()
    with TemporaryDirectory() as folder:
        text = encode_clip(Path(folder) / "text.mp4", [page(LINES)] * 10)
        codes = encode_clip(Path(folder) / "codes.mp4", [page_of_codes()] * 10)
        videos = {
            "640x480, 4 lines of text": text,
            "640x480, 2 codes": codes,
            "640x272, footage": clip("bikes.mp4"),
            "1280x720, footage": clip("bigbuckbunny.mp4"),
        }
        print("ms a frame of the built-in pipelines, JPEG beside them; resident memory afterwards")
        for pipeline_id in ("ocr", "barcodes", "quality"):
            for label, path in videos.items():
                print(
                    f"  {pipeline_id:10} {label:26} {milliseconds(registry, pipeline_id, path):7.1f}"
                )
            print(f"  {pipeline_id:10} {'memory':26} {resident_megabytes():7.0f} MB")
        jpeg = Calls(lambda payload: {"bytes": len(payload["image_bytes"])})
        for label, path in videos.items():
            print(f"  {'jpeg':10} {label:26} {milliseconds(jpeg, 'jpeg', path):7.1f}")


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


def main() -> None:
    decoding()
    overlap()
    pipelines()


if __name__ == "__main__":
    main()
