"""How soon status is answered while everything else happens, and how results are handed out."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.report import Cell, Report, Table, Target
from benchmarks.servers import MeasuredServer
from tests.support.client import status, submit, wait_until
from tests.support.footage import clip
from tests.support.jobs import completed_job
from tests.support.pipelines import READY
from tests.support.polling import LatencyProbe
from tests.support.server import ServerProcess
from tests.support.uploads import trickling, upload_file, write_video

MB, MIB = 10**6, 1024**2
UPLOAD_BYTES = 512 * MIB
UPLOADS = 3
JOBS = 5
RESULT_BYTES = (20 * MB, 200 * MB)
SLOW_CLIENTS, SLOW_POLLS = 100, 1_000


def measure(folder: Path) -> Report:
    mixed = status_in_the_mix(folder / "ocr", "ocr", UPLOADS)
    slow = status_beside_slow_clients(folder / "slow")
    waits = {
        "512 MiB in, 20 MB out, ocr": mixed,
        "the same, a pipeline in pure Python": status_in_the_mix(folder / "busy", "busy", 1),
        f"{SLOW_CLIENTS} uploads of a byte a second": slow,
    }
    rows: list[list[Cell]] = [
        [name, len(probe.latencies), *(1000 * probe.quantile(share) for share in (0.5, 0.99, 1))]
        for name, probe in waits.items()
    ]
    handed_out, targets = results_handed_out(folder)
    return Report(
        [Table("Status, ms", ("", "polls", "p50", "p99", "max"), rows), handed_out],
        [
            Target("status in the mix with ocr, p99 ms", 1000 * mixed.quantile(0.99), 25),
            Target("status in the mix with ocr, max ms", 1000 * mixed.quantile(1), 100),
            Target("status beside slow clients, p99 ms", 1000 * slow.quantile(0.99), 50),
            *targets,
        ],
    )


def status_in_the_mix(folder: Path, pipeline_id: str, uploads: int) -> LatencyProbe:
    """Ask for the status of a job while jobs of that pipeline run, so many videos of 512 MiB come
    in, one after another, and results of 20 MB go out all the time."""
    folder.mkdir(exist_ok=True)
    finished = completed_job(folder / "data", RESULT_BYTES[0])
    video = write_video(folder / "video.mp4", UPLOAD_BYTES)
    with ServerProcess(folder / "data", plugins=[READY], args=["--no-access-log"]) as server:
        first, *_, last = [
            submit(server.base_url, clip("bigbuckbunny.mp4"), pipeline_id) for _ in range(JOBS)
        ]
        wait_until(
            lambda: status(server.base_url, first)["status"] == "running", 30, "The first job"
        )
        with (
            LatencyProbe(server.base_url, f"/video/status/{first}") as probe,
            ThreadPoolExecutor(1) as thread,
        ):
            for _ in range(uploads):
                upload = thread.submit(upload_file, server.port, video)
                while not upload.done():
                    download(server, finished)
                assert upload.result().status == 200
        assert status(server.base_url, last)["progress"] < 1, "The jobs were over too soon."
    return probe


def status_beside_slow_clients(folder: Path) -> LatencyProbe:
    folder.mkdir()
    finished = completed_job(folder / "data", 0)
    with (
        ServerProcess(folder / "data", args=["--no-access-log"]) as server,
        trickling(server.port, SLOW_CLIENTS),
        LatencyProbe(server.base_url, f"/video/status/{finished}") as probe,
    ):
        wait_until(lambda: len(probe.latencies) >= SLOW_POLLS, 60, f"{SLOW_POLLS} answers")
    return probe


def results_handed_out(folder: Path) -> tuple[Table, list[Target]]:
    """To a client that throws them away, by a server that was started when they were there."""
    rows: list[list[Cell]] = []
    targets = []
    for size in RESULT_BYTES:
        name = f"results of {size // MB} MB"
        data_dir = folder / f"results-{size}"
        job_id = completed_job(data_dir, size)
        with MeasuredServer("ours", data_dir) as server:
            status(server.base_url, job_id)
            run = server.measure(partial(download, server, job_id))
        stall, growth = 1000 * run.longest_stall, run.rss_growth / MB
        rows.append([name, size / MB / run.seconds, run.cpu_seconds, stall, growth])
        targets += [
            Target(f"{name}, longest stall, ms", stall, 50),
            Target(f"{name}, RSS growth, MB", growth, 32),
        ]
    return Table("Fetching", ("", "MB/s", "CPU s", "stall ms", "RSS growth MB"), rows), targets


def download(server: ServerProcess, job_id: str) -> None:
    """In a process of its own, so that who measures has this one's interpreter for itself."""
    url = f"{server.base_url}/video/results/{job_id}"
    subprocess.run(["curl", "--silent", "--fail", "--output", "/dev/null", url], check=True)
