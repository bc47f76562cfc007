"""Receiving videos: one large, many small, and what they take of the server."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.load import repeat
from benchmarks.report import Report, Table, Target
from benchmarks.servers import MeasuredServer, Run
from tests.support.uploads import upload_file, write_video

MB, MIB, GB = 10**6, 1024**2, 10**9
APPS = ("ours", "textbook", "discarding")
COLUMNS = ("", "MB/s", "× textbook", "CPU s/GB", "× textbook's", "RSS growth MB", "stall ms")

Servers = Mapping[str, MeasuredServer]
Runs = Mapping[str, Sequence[Run]]


@dataclass(frozen=True)
class Load:
    """`count` videos of `size` bytes, `at_once` at a time, once in each of so many rounds."""

    title: str
    size: int
    count: int = 1
    at_once: int = 1
    rounds: int = 1


LARGE = Load("One video of 512 MiB", 512 * MIB, rounds=5)
SMALL = Load("500 videos of 2 MB, 50 at a time", 2 * MB, 500, 50, rounds=3)
HUGE = Load("One video of 1 GiB", 1024 * MIB)
EIGHT = Load("8 videos of 128 MiB at once", 128 * MIB, 8, 8)
CROWD = Load("500 videos of 2 MB at once", 2 * MB, 500, 500)


def measure(folder: Path) -> Report:
    copies: list[float] = []
    with running_servers(folder) as servers:
        runs = {load: take_turns(servers, load, folder) for load in (HUGE, EIGHT, CROWD, SMALL)}
        runs[LARGE] = take_turns(
            servers, LARGE, folder, after_round=lambda video: copies.append(copy_durably(video))
        )
    tables = [compare(load, runs[load]) for load in (LARGE, SMALL, HUGE, EIGHT, CROWD)]
    dd = Table("dd conv=fsync", ["", "MB/s"], [["512 MiB", LARGE.size / MB / median(copies)]])
    return Report([*tables, dd], targets(runs, copies))


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """A server of each kind; each has served an upload already."""
    with ExitStack() as stack:
        servers = {app: stack.enter_context(MeasuredServer(app, folder / app)) for app in APPS}
        servers["ours"].hold_worker()
        take_turns(servers, Load("Warming up", 8 * MIB), folder)
        yield servers


def take_turns(
    servers: Servers,
    load: Load,
    folder: Path,
    after_round: Callable[[Path], object] = lambda video: None,
) -> Runs:
    """Put the load on each server in each round, so that what else the machine does meanwhile
    falls on all of them."""
    video = write_video(folder / "video.mp4", load.size)
    runs: dict[str, list[Run]] = {name: [] for name in servers}
    for _ in range(load.rounds):
        for name, server in servers.items():
            call = partial(send, server.port, video)
            runs[name].append(server.measure(partial(repeat, call, load.count, load.at_once)))
            server.forget_videos()
        after_round(video)
    return runs


def send(port: int, video: Path) -> None:
    answer = upload_file(port, video, "sleep")
    assert answer.status == 200, answer


def copy_durably(video: Path) -> float:
    """The seconds that `dd` takes to copy the file and flush the copy to disk."""
    copy = video.with_name("copy.mp4")
    os.sync()
    began = time.perf_counter()
    subprocess.run(
        ["dd", f"if={video}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"], check=True
    )
    seconds = time.perf_counter() - began
    copy.unlink()
    return seconds


def compare(load: Load, runs: Runs) -> Table:
    sent = load.size * load.count
    rows = [
        (
            name,
            sent / MB / median(run.seconds for run in found),
            ratio(runs["textbook"], found, lambda run: run.seconds),
            median(run.cpu_seconds for run in found) / (sent / GB),
            ratio(found, runs["textbook"], lambda run: run.cpu_seconds),
            max(run.rss_growth for run in found) / MB,
            max(run.longest_stall for run in found) * 1000,
        )
        for name, found in runs.items()
    ]
    title = load.title + (f", medians of {load.rounds}" if load.rounds > 1 else "")
    return Table(title, COLUMNS, rows)


def targets(runs: Mapping[Load, Runs], copies: Sequence[float]) -> list[Target]:
    ours, textbook, discarding = (runs[LARGE][app] for app in APPS)
    floors = [run.seconds + copy for run, copy in zip(discarding, copies, strict=True)]
    over_floor = median(run.seconds / floor for run, floor in zip(ours, floors, strict=True))
    speed = ratio(textbook, ours, lambda run: run.seconds)
    cpu = ratio(ours, textbook, lambda run: run.cpu_seconds)
    stall = max(run.longest_stall for run in ours) * 1000
    (huge,), (eight,), (crowd,) = (runs[load]["ours"] for load in (HUGE, EIGHT, CROWD))
    return [
        Target("speed, × the textbook's", speed, 3.5, at_least=True),
        Target("seconds, × those of discarding and dd together", over_floor, 1.4),
        Target("CPU, × the textbook's", cpu, 0.4),
        Target("RSS growth, MB, one of 1 GiB", huge.rss_growth / MB, 4),
        Target("RSS growth, MB, 8 of 128 MiB at once", eight.rss_growth / MB, 8.4),
        Target("RSS growth, MB, 500 of 2 MB at once", crowd.rss_growth / MB, 64),
        Target("longest stall, ms", stall, 25),
    ]


def ratio(some: Sequence[Run], others: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """The median of the ratios within each round."""
    return median(figure(one) / figure(other) for one, other in zip(some, others, strict=True))
