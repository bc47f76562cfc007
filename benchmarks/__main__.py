"""`python -m benchmarks [SECTION ...]`: measure the server beside simpler designs.

Figures of one run compare with each other, not with those of another machine or another day.
"""

import argparse
import json
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import frames, jobs, latency, uploads, words

SECTIONS = {
    "uploads": uploads.measure,
    "jobs": jobs.measure,
    "latency": latency.measure,
    "frames": frames.measure,
    "words": words.measure,
}
ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build", help="where to work (default: build)"
    )
    parser.add_argument(
        "--json", type=Path, default=ROOT / "build" / "benchmarks.json", help="the same as JSON"
    )
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section is called {', '.join(sorted(unknown))}")

    console = Console()
    found = {}
    for folder in (options.folder, options.json.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for name in options.sections or SECTIONS:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir=options.folder) as work:
            report = SECTIONS[name](Path(work))
        report.print(console)
        found[name] = report.as_json()
    machine = {
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    options.json.write_text(json.dumps({"machine": machine, "sections": found}, indent=2) + "\n")


main()
