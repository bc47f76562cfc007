"""Many clients that send next to nothing take nothing from the others."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.client import submit, wait_until
from tests.support.polling import LatencyProbe
from tests.support.server import ServerProcess
from tests.support.uploads import FTYP, connect, form_before_file, request_head

CLIENTS = 100
POLLS = 500
P99_SECONDS = 4 * 0.050


@contextmanager
def trickling(port: int) -> Iterator[None]:
    """As many uploads as there are CLIENTS, each sent at a byte per second."""
    before = form_before_file()
    over = threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in range(CLIENTS)]
        for connection in connections:
            connection.sendall(request_head(1_000_000) + before + FTYP)

        def trickle() -> None:
            while not over.wait(1):
                for connection in connections:
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_status_and_submit_are_not_kept_waiting(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", args=["--no-access-log"]) as server:
        job_id = submit(server.base_url, FTYP, "barcodes")
        with (
            trickling(server.port),
            LatencyProbe(server.base_url, f"/video/status/{job_id}") as probe,
        ):
            wait_until(lambda: len(probe.latencies) >= POLLS, 60, f"{POLLS} answers")
            submit(server.base_url, FTYP + bytes(2_000_000), "barcodes")
        assert probe.quantile(0.99) <= P99_SECONDS
