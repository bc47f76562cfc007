"""Submitting and polling: small requests, from few clients and from many, on a small table and on
a large one; and how soon a job runs."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median

from sqlalchemy import text

from app.core.database import build_engine, migrate
from benchmarks.report import Cell, Report, Table, Target
from benchmarks.servers import MeasuredServer
from benchmarks.small_requests import poll_request, requests_per_second, submit_request
from tests.support.client import connect, status, submit, wait_for, wait_until
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.uploads import FTYP
from tools.sample_video import draw_card, write_mp4

CLIENTS = (1, 16, 64)
ROUNDS = 3
SECONDS = 2.0
POLLED = 64
SUBMIT_BYTES = 50_000
SMALL_TABLE, LARGE_TABLE = 1_000, 1_000_000
WARM_UP = 400  # polls, in which DuckDB reads what it needs of the file
PICKED_UP = 100
IDLE_SECONDS = 10

Rates = dict[str, dict[tuple[str, int], list[float]]]


def measure(folder: Path) -> Report:
    one_frame = folder / "one-frame.mp4"
    write_mp4(one_frame, [draw_card("ONE FRAME", "1")])
    idle, idle_targets = idle_server(folder / "idle")
    asleep = side_by_side(folder / "asleep", one_frame, draining=False)
    draining = side_by_side(folder / "draining", one_frame, draining=True)
    tables, table_targets = table_sizes(folder)
    latency, latency_targets = time_to_running(folder / "pick-up", one_frame)
    return Report(
        [
            compare("While one job sleeps in the worker", asleep),
            compare("While the worker drains one-frame jobs", draining),
            tables,
            latency,
            idle,
        ],
        [*rate_targets(asleep), *table_targets, *latency_targets, *idle_targets],
    )


def side_by_side(folder: Path, one_frame: Path, *, draining: bool) -> Rates:
    """Requests a second of ours and of an application that keeps jobs in a dict, in turns."""
    folder.mkdir()
    video = one_frame.read_bytes() if draining else FTYP + os.urandom(SUBMIT_BYTES - len(FTYP))
    pipeline_id = "nothing" if draining else "sleep"
    rates: Rates = {"ours": {}, "dictionary": {}}
    with (
        MeasuredServer("ours", folder / "ours") as ours,
        MeasuredServer("dictionary", folder / "dictionary") as dictionary,
    ):
        if not draining:
            ours.hold_worker()
        servers = {"ours": ours, "dictionary": dictionary}
        polls = {}
        for name, server in servers.items():
            submitted = [submit(server.base_url, video, pipeline_id) for _ in range(POLLED)]
            polls[name] = [poll_request(job_id) for job_id in submitted]
        for clients in CLIENTS * ROUNDS:
            for name, server in servers.items():
                for kind, requests in (
                    ("submits", [submit_request(video, pipeline_id)]),
                    ("polls", polls[name]),
                ):
                    rate = requests_per_second(
                        server.port, cycle(requests), clients=clients, seconds=SECONDS
                    )
                    rates[name].setdefault((kind, clients), []).append(rate)
                if not draining:
                    server.forget_videos()
    return rates


def compare(title: str, rates: Rates) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{kind}, {clients} clients",
            median(rates["ours"][kind, clients]),
            median(rates["dictionary"][kind, clients]),
            ratio(rates, kind, clients),
        ]
        for kind, clients in rates["ours"]
    ]
    columns = ("", "ours /s", "a dict /s", "ratio")
    return Table(
        f"{title}, medians of {ROUNDS}", columns, sorted(rows, key=lambda row: str(row[0]))
    )


def ratio(rates: Rates, kind: str, clients: int) -> float:
    """The median of the ratios within each round."""
    pairs = zip(rates["ours"][kind, clients], rates["dictionary"][kind, clients], strict=True)
    return median(ours / dictionary for ours, dictionary in pairs)


def rate_targets(rates: Rates) -> list[Target]:
    return [
        Target(
            f"{kind}, × a dict, {clients} clients",
            ratio(rates, kind, clients),
            least,
            at_least=True,
        )
        for clients, least in ((16, 0.5), (64, 0.6))
        for kind in ("submits", "polls")
    ]


def table_sizes(folder: Path) -> tuple[Table, list[Target]]:
    """Polls of jobs that are asked for again and again, and of jobs that a server has not been
    asked for before, which it has to look up in the table; it has looked up others."""
    sizes = (SMALL_TABLE, LARGE_TABLE)
    again: dict[int, list[float]] = {rows: [] for rows in sizes}
    first: dict[int, list[float]] = {rows: [] for rows in sizes}
    data_dirs = {rows: folder / f"rows-{rows}" for rows in sizes}
    polls = {rows: [*map(poll_request, fill_table(data_dirs[rows], rows))] for rows in sizes}
    for rows in sizes * ROUNDS:
        with ServerProcess(data_dirs[rows], args=["--no-access-log"]) as server:
            requests_per_second(server.port, polls[rows][:WARM_UP], clients=16)
            first[rows].append(requests_per_second(server.port, polls[rows][WARM_UP:], clients=16))
            known = cycle(polls[rows][:POLLED])
            again[rows].append(requests_per_second(server.port, known, clients=16, seconds=SECONDS))
    table = Table(
        f"Polls a second, 16 clients, medians of {ROUNDS}",
        ("", f"{SMALL_TABLE:,} rows", f"{LARGE_TABLE:,} rows", "ratio"),
        [
            [name, median(rates[SMALL_TABLE]), median(rates[LARGE_TABLE]), table_ratio(rates)]
            for name, rates in (
                ("asked for again", again),
                ("first asked for, in a warm server", first),
            )
        ],
    )
    return table, [
        Target(
            f"polls with 1,000,000 rows, × those with 1,000, {name}",
            table_ratio(rates),
            0.9,
            at_least=True,
        )
        for name, rates in (("again", again), ("first asked for", first))
    ]


def table_ratio(rates: Mapping[int, Sequence[float]]) -> float:
    """The median of the ratios within each round."""
    pairs = zip(rates[LARGE_TABLE], rates[SMALL_TABLE], strict=True)
    return median(large / small for large, small in pairs)


def fill_table(data_dir: Path, rows: int) -> list[str]:
    """A database with that many completed jobs; the ids of 1,000 of them."""
    data_dir.mkdir()
    engine = build_engine(f"duckdb:///{data_dir / 'foregsyte.duckdb'}")
    with engine.connect() as connection:
        migrate(connection)
        connection.execute(
            text(
                "INSERT INTO jobs SELECT uuid(), 'completed', now()::TIMESTAMP, now()::TIMESTAMP, "
                "'nothing', 'video.mp4', 'results.json', NULL FROM range(:rows)"
            ),
            {"rows": rows},
        )
        connection.commit()
        sample = "SELECT job_id::VARCHAR FROM jobs USING SAMPLE 1000 ROWS"
        job_ids = [str(job_id) for (job_id,) in connection.execute(text(sample))]
    engine.dispose()
    return job_ids


def time_to_running(data_dir: Path, one_frame: Path) -> tuple[Table, list[Target]]:
    """From the moment a submit is answered to the `updated_at` of the running row."""
    delays = []
    env = {"PIPELINE_SLEEP_SECONDS": "1"}
    with ServerProcess(data_dir, plugins=[READY], env=env, args=["--no-access-log"]) as server:
        for _ in range(PICKED_UP):
            job_id, answered = submit_and_look_at_the_clock(server, one_frame)
            wait_until(partial(is_running, server.base_url, job_id), 10, "The job's start")
            updated = datetime.fromisoformat(status(server.base_url, job_id)["updated_at"])
            delays.append(max(0.0, updated.timestamp() - answered) * 1000)
            wait_for(server.base_url, job_id, 10)
    delays.sort()
    p99 = delays[int(0.99 * len(delays))]
    rows: list[list[Cell]] = [[f"{PICKED_UP} submits", median(delays), p99, delays[-1]]]
    table = Table("From answered to running, ms", ("", "median", "p99", "max"), rows)
    return table, [
        Target("answered to running, median ms", median(delays), 5),
        Target("answered to running, p99 ms", p99, 25),
    ]


def submit_and_look_at_the_clock(server: ServerProcess, video: Path) -> tuple[str, float]:
    """The job, and the time at which its 200 was read."""
    with connect(server.base_url) as client:
        answer = client.post(
            "/video/submit", files={"file": video.read_bytes()}, data={"pipeline_id": "sleep"}
        )
        answered = time.time()
    return str(answer.raise_for_status().json()["job_id"]), answered


def is_running(base_url: str, job_id: str) -> bool:
    return bool(status(base_url, job_id)["status"] == "running")


def idle_server(data_dir: Path) -> tuple[Table, list[Target]]:
    """What a server takes that has been started and not been asked anything."""
    with ServerProcess(data_dir) as server:
        cpu = server.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        share = (server.cpu_seconds() - cpu) / IDLE_SECONDS * 100
        rss = server.rss() / 1e6
    table = Table("An idle server", ("", "RSS MB", "% of a core"), [["ours", rss, share]])
    return table, [
        Target("idle memory, MB", rss, 145),
        Target("idle use of a core, %", share, 1),
    ]
