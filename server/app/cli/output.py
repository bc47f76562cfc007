"""Jobs and results as text, as JSON, as tables and as files."""

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from app.cli.display import Display, printable
from forgesyte_client import Client, Done, Job, Results
from forgesyte_client.findings import runs


def done_as_json(done: Done) -> str:
    """Of ASCII alone, so that every terminal and every pipe can take any file's name."""
    values: dict[str, Any] = {"file": str(done.path), "job_id": done.job_id}
    if done.error is not None:
        values["error"] = str(done.error)
    elif done.results is not None:
        values |= done.results.to_json()
    return json.dumps(values)


def print_done(display: Display, done: Done, *, alone: bool) -> None:
    file = printable(str(done.path))
    if done.error is not None:
        reason = str(done.error)
        if done.job_id is not None and done.job_id not in reason:
            reason += f" (job {done.job_id})"
        display.print(f"{file}: {printable(reason)}", err=True)
    elif done.results is None:
        display.print(str(done.job_id) if alone else f"{done.job_id}\t{file}")
    elif display.on_stdout:
        display.print(f"{done.job_id}  completed  {file}")
        display.print_table(results_as_table(done.results))
    else:
        for span, description in findings(done.results):
            for found in description.split("\n"):
                values = (str(done.job_id), "completed", file, span, printable(found))
                display.print("\t".join(values))


def job_as_dict(job: Job) -> dict[str, str | float]:
    """As the server says it."""
    return {
        "job_id": job.job_id,
        "status": job.status,
        "progress": job.progress,
        "created_at": job.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": job.updated_at.isoformat().replace("+00:00", "Z"),
    }


def results_as_table(results: Results) -> Table:
    """A row for frames that follow each other with the same findings."""
    table = Table("frames", "found")
    for span, description in findings(results):
        table.add_row(span, Text("\n".join(map(printable, description.split("\n")))))
    return table


def findings(results: Results) -> Iterator[tuple[str, str]]:
    """Frames that follow each other with the same findings, like `0-9`, and these, one a line."""
    for frames, description in runs(results):
        first, last = frames[0].frame_index, frames[-1].frame_index
        yield f"{first}" if first == last else f"{first}-{last}", description


def save_results(client: Client, job_id: str, output: Path) -> None:
    """All of the document at `output`, or nothing.

    A file takes the place of one that was there. What is no regular file, such as a pipe, a device
    or a link, stays, and is written to.
    """
    if output.is_symlink() or (output.exists() and not output.is_file()):
        with tempfile.TemporaryFile() as whole:
            client.copy_results(job_id, whole)
            whole.seek(0)
            with output.open("wb") as file:
                shutil.copyfileobj(whole, file)
        return
    part = output.with_name(f".forgesyte-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            client.copy_results(job_id, file)
        if output.exists():
            shutil.copymode(output, part)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
