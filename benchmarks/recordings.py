"""What a job of a recording costs, beside the build before frames were shared.

That build is installed from its revision of this repository into an environment of its own, with
the newest packages that it allows. Both take turns, the best of several rounds counts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from app.services.video.payload import FramePayload
from app.services.video_file_pipeline_service import VideoFilePipelineService
from benchmarks.report import Cell, Table, Target
from tests.services.pipelines.drawing import page
from tests.services.pipelines.rendered import with_text
from tests.support.client import status, submit, wait_for, wait_until
from tests.support.footage import clip
from tests.support.pipelines import READY
from tests.support.polling import LatencyProbe
from tests.support.server import ServerProcess

BEFORE = "631d33c"
ROOT = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("one_video.py")
ROUNDS = 3
FRAMES, FRAMES_A_SECOND, HEIGHT, WIDTH = 150, 30, 720, 1280
POLLS = 1500
MOST_MEGABYTES = 250
FACE = "SourceSerifPro-Semibold"
WORDS = ("quick", "brown", "foxes", "jump", "over", "lazy", "dogs", "while", "boxing", "wizards")

Image = NDArray[np.uint8]


class Cost(NamedTuple):
    """Of one frame: milliseconds of time and of the processors; and the process's peak, in MiB."""

    wall: float
    cpu: float
    peak: float


def measure(folder: Path) -> tuple[list[Table], list[Target]]:
    film = clip("bigbuckbunny.mp4")
    recordings = {name: encode(folder / f"{name}.mp4", name) for name in RECORDINGS}
    videos = {**recordings, "film": film}
    with earlier_build(folder / "before") as python:
        builds = {"before": python, "now": Path(sys.executable)}
        tables, targets = costs(builds, videos)
        waits = Table(
            "Status while frames are run, ms",
            ("", "polls", "p50", "p99", "max"),
            [
                row
                for name, python in builds.items()
                for row in status_beside(folder / f"status-{name}", name, python, videos["slides"])
            ],
        )
    for name, _, _, p99, longest in waits.rows:
        if str(name).startswith("now"):
            targets += [
                Target(f"status, {name}, p99 ms", float(p99), 25),
                Target(f"status, {name}, max ms", float(longest), 100),
            ]
    shared = Table(
        "Frames that are not asked for, %",
        ("", *videos),
        [["share", *(100 * share_reused(video) for video in videos.values())]],
    )
    memory = job_megabytes(folder / "memory", videos)
    title = "memory of a running ocr job above idle, MB"
    targets += [Target(f"{title}, {name}", most, MOST_MEGABYTES) for name, most in memory.items()]
    return [*tables, shared, waits], targets


def job_megabytes(folder: Path, videos: Mapping[str, Path]) -> dict[str, float]:
    """How much more than idle a server has at the most while its first job, of `ocr`, runs."""
    folder.mkdir()
    found = {}
    for name, video in videos.items():
        with ServerProcess(folder / name, command=[sys.executable, "-m", "app"]) as server:
            idle = server.rss()
            wait_for(server.base_url, submit(server.base_url, video, "ocr"), 300)
            found[name] = (server.peak_rss() - idle) / 1e6
    return found


def costs(
    builds: Mapping[str, Path], videos: Mapping[str, Path]
) -> tuple[list[Table], list[Target]]:
    rows: list[list[Cell]] = []
    targets = []
    for pipeline_id, names in RUNS.items():
        for name in names:
            best = fastest(builds, pipeline_id, videos[name])
            before, now = best["before"], best["now"]
            ratio = before.wall / now.wall
            rates = [1000 / cost.wall for cost in (before, now)]
            rest = (before.cpu, now.cpu, before.peak, now.peak)
            rows.append([f"{pipeline_id}, {name}", *rates, ratio, *rest])
            if (pipeline_id, name) in LEAST:
                least = LEAST[pipeline_id, name]
                title = f"{pipeline_id}, {name}, frames/s × those before"
                targets.append(Target(title, ratio, least, at_least=True))
    columns = ("", "frames/s before", "now", "×", "CPU ms before", "now", "peak MiB before", "now")
    return [Table(f"A job's frames, best of {ROUNDS}", columns, rows)], targets


def fastest(builds: Mapping[str, Path], pipeline_id: str, video: Path) -> dict[str, Cost]:
    found: dict[str, list[Cost]] = {name: [] for name in builds}
    for _ in range(ROUNDS):
        for name, python in builds.items():
            found[name].append(run_once(python, pipeline_id, video))
    return {name: min(rounds) for name, rounds in found.items()}


def run_once(python: Path, pipeline_id: str, video: Path) -> Cost:
    done = subprocess.run(
        [python, SCRIPT, pipeline_id, video],
        env={"PYTHONPATH": str(READY)},
        cwd=video.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout))


@contextmanager
def earlier_build(folder: Path) -> Iterator[Path]:
    """The interpreter of an environment in which it is installed."""
    tree, environment = folder / "tree", folder / "environment"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", tree, BEFORE], check=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        python = environment / "bin" / "python"
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, str(tree)], check=True)
        yield python
    finally:
        subprocess.run([*git, "remove", "--force", tree], check=True)


def status_beside(folder: Path, name: str, python: Path, video: Path) -> Iterator[list[Cell]]:
    """While `ocr` runs, alone and with another process busy on every processor."""
    folder.mkdir()
    for beside in ("", ", other processes busy"):
        with (
            ServerProcess(
                folder / f"data{len(beside)}", command=[str(python), "-m", "app"]
            ) as server,
            busy_processors(bool(beside)),
        ):
            first, last = [submit(server.base_url, video, "ocr") for _ in range(2)]
            wait_until(
                lambda: status(server.base_url, first)["status"] == "running",  # noqa: B023
                60,
                "The job's start",
            )
            with LatencyProbe(server.base_url, f"/video/status/{first}") as probe:
                wait_until(lambda: len(probe.latencies) >= POLLS, 120, "The polls")
            assert status(server.base_url, last)["progress"] < 1, "The jobs were over too soon."
        times = [1000 * probe.quantile(share) for share in (0.5, 0.99, 1)]
        yield [f"{name}{beside}", len(probe.latencies), *times]


@contextmanager
def busy_processors(busy: bool) -> Iterator[None]:
    count = len(os.sched_getaffinity(0)) if busy else 0
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


class Asked:
    """A pure pipeline that counts its calls."""

    def __init__(self) -> None:
        self._calls: list[int] = []

    @property
    def count(self) -> int:
        return len(self._calls)

    def is_pure(self, pipeline_id: str) -> bool:
        return True

    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> dict[str, Any]:
        self._calls.append(payload.frame_index)
        return {}


def share_reused(video: Path) -> float:
    asked = Asked()
    frames = len(VideoFilePipelineService(asked).run_on_file(video, "any"))
    return 1 - asked.count / frames


def encode(path: Path, name: str) -> Path:
    """As recorders do: x264's defaults."""
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_A_SECOND, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in RECORDINGS[name]():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def lines(count: int, first: int = 0) -> list[str]:
    return [
        f"{n + 1}. " + " ".join(WORDS[(3 * n + k) % len(WORDS)] for k in range(7))
        for n in range(first, first + count)
    ]


def slides() -> Iterator[Image]:
    """Three pages, each faded into the next."""
    pages = [page(lines(8, 8 * n), 36, HEIGHT, WIDTH) for n in range(3)]
    for n in range(FRAMES):
        number, step = divmod(n, FRAMES // len(pages))
        share = max(0.0, (step - 40) / 10)
        following = pages[min(number + 1, len(pages) - 1)]
        yield (pages[number] * (1 - share) + following * share).astype(np.uint8)


def terminal() -> Iterator[Image]:
    """Light text on dark, typed ten characters a second."""
    text = "\n".join(lines(20))
    for n in range(FRAMES):
        typed = text[: 200 + n // 3].split("\n")
        yield 255 - page(typed, 22, HEIGHT, WIDTH)


def scrolling() -> Iterator[Image]:
    """A page that is read for a second and a half, then moved by three lines in a third of one."""
    tall = page(lines(40), 28, 40 * 60, WIDTH)
    rest, move, rows = 45, 10, 168
    for n in range(FRAMES):
        turns, step = divmod(n, rest + move)
        top = rows * turns + rows * max(0, step - rest + 1) // (move + 1)
        yield np.ascontiguousarray(tall[top : top + HEIGHT])


def titled() -> Iterator[Image]:
    """A film with its title over it."""
    with av.open(clip("bigbuckbunny.mp4")) as container:
        for frame in container.decode(video=0):
            image: Any = frame.to_ndarray(format="bgr24")
            yield with_text(image, ["The rabbit in the morning"], 48, FACE, (120, 560), "white", 3)


RECORDINGS = {"slides": slides, "terminal": terminal, "scrolling": scrolling, "titled": titled}
RUNS = {
    "ocr": ("slides", "terminal", "scrolling", "titled", "film"),
    "barcodes": ("slides", "film"),
    "quality": ("slides", "film"),
    "nothing": ("slides", "film"),
}
LEAST = {
    ("ocr", "slides"): 3.0,
    ("ocr", "terminal"): 6.0,
    ("ocr", "scrolling"): 5.0,
    ("ocr", "titled"): 1.3,
    ("ocr", "film"): 0.7,
    ("barcodes", "film"): 1.6,
    ("quality", "film"): 1.6,
    ("nothing", "film"): 1.0,
}
