"""Many clients that send next to nothing take nothing from the others."""

from pathlib import Path

from tests.support.client import submit, wait_until
from tests.support.polling import LatencyProbe
from tests.support.server import ServerProcess
from tests.support.uploads import FTYP, trickling

CLIENTS = 100
POLLS = 500
P99_SECONDS = 4 * 0.050


def test_status_and_submit_are_not_kept_waiting(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", args=["--no-access-log"]) as server:
        job_id = submit(server.base_url, FTYP, "barcodes")
        with (
            trickling(server.port, CLIENTS),
            LatencyProbe(server.base_url, f"/video/status/{job_id}") as probe,
        ):
            wait_until(lambda: len(probe.latencies) >= POLLS, 60, f"{POLLS} answers")
            submit(server.base_url, FTYP + bytes(2_000_000), "barcodes")
        assert probe.quantile(0.99) <= P99_SECONDS
