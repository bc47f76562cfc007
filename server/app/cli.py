"""The command line, `forgesyte`.

Half of it calls a server, and needs nothing but the client; the other half is the server, and is
imported when it is asked for.
"""

import io
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from app.bars import Bars, printable
from forgesyte_client import (
    DEFAULT_URL,
    Client,
    Done,
    ForgeSyteClientError,
    NotFound,
    Observer,
    OutcomeUnknown,
    Rejected,
    Results,
    ServerUnavailable,
    WaitTimeout,
)
from forgesyte_client.findings import runs


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    REFUSED = 4
    NOT_FOUND = 5
    TIMEOUT = 6
    UNKNOWN = 7


EPILOG = """
Exit codes:
0  done
1  a job has failed, or a file cannot be read or written
2  wrong usage
3  the server cannot be reached, or cannot start
4  the server refuses the file, the pipeline or the id
5  there is no such job, or it has no results yet
6  a job was not over within --timeout
7  the upload was sent whole, but its outcome is unknown: it may have become a job
130  interrupted by Ctrl-C; jobs that are submitted go on
Of several files, the highest counts.
"""
SUBMIT_EXAMPLES = """
Examples:
forgesyte submit holiday.mp4 -p ocr
forgesyte submit *.mp4 -p ocr --wait --timeout 600
forgesyte submit *.mp4 -p ocr --wait --json > results.jsonl

With --wait and through a pipe, each finding is a line, separated by tabs:
the job's id, `completed`, the file, the frames, and what was found in them.
"""
RESULTS_EXAMPLES = """
Examples:
forgesyte results 66e1ee30-a53d-4190-b068-ec8821ddcf68
forgesyte results 66e1ee30-a53d-4190-b068-ec8821ddcf68 --wait -o results.json
"""

cli = typer.Typer(
    help="Run pipelines over the frames of videos: submit an MP4, get a job id, fetch the results.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
CALLS = "Call a server"
SERVES = "Be the server"

NO_VALUE = ""
Url = Annotated[
    str, typer.Option(envvar="FORGESYTE_URL", metavar="URL", help="Address of the server.")
]
JobId = Annotated[
    str, typer.Argument(metavar="ID", help="As `submit` printed it.", show_default=False)
]
AsJson = Annotated[
    bool, typer.Option("--json", metavar=NO_VALUE, help="Print JSON, for other programs.")
]
Wait = Annotated[
    bool, typer.Option("--wait", "-w", metavar=NO_VALUE, help="Stay until the job is over.")
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="How long --wait waits for a job.", show_default=False
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of the database and the videos; FORGESYTE_DATA_DIR or `data` without it.",
        show_default=False,
    ),
]


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does
    try:
        cli()
    except (ForgeSyteClientError, OSError) as error:
        typer.echo(f"forgesyte: {printable(str(error))}", err=True)
        sys.exit(exit_code(error))


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"forgesyte {version('forgesyte-video-jobs')}")
        raise typer.Exit


@cli.callback()
def options_of_all(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar=NO_VALUE,
            is_eager=True,
            callback=print_version,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """What stands before the command."""


@cli.command(rich_help_panel=CALLS, epilog=SUBMIT_EXAMPLES)
def submit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, readable=True, help="MP4 files."
        ),
    ],
    pipeline: Annotated[
        str,
        typer.Option(
            "--pipeline", "-p", metavar="ID", help="What to run over every frame, like `ocr`."
        ),
    ],
    wait: Wait = False,
    timeout: Timeout = None,
    concurrency: Annotated[int, typer.Option(min=1, metavar="COUNT", help="Files at a time.")] = 8,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Upload videos, and with --wait print what was found in them.

    Prints the id of the job; of several, each with its file.
    With --json, each file is a line of JSON.
    """
    require_wait(timeout, wait)
    options: dict[str, Any] = {"pipeline_id": pipeline, "concurrency": concurrency}
    code = ExitCode.DONE
    bars = Bars()
    try:
        with bars, connect(url, bars.show) as client:
            if wait:
                ended = client.run_many(files, timeout=timeout, **options)
            else:
                ended = client.submit_many(files, **options)
            for done in ended:
                bars.drop(done)
                if as_json:
                    bars.print(json_line(done))
                else:
                    print_text(bars, done, alone=len(files) == 1)
                code = max(code, exit_code(done.error))
    except KeyboardInterrupt:
        for job_id, file in bars.jobs.items():
            typer.echo(f"{printable(file)}: job {job_id} goes on", err=True)
        raise
    raise typer.Exit(code)


@cli.command(rich_help_panel=CALLS)
def status(job_id: JobId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Say how far a job is."""
    with connect(url) as client:
        job = client.status(job_id)
    values = {
        "job_id": job.job_id,
        "status": job.status,
        "progress": job.progress,
        "created_at": utc(job.created_at),
        "updated_at": utc(job.updated_at),
    }
    if as_json:
        typer.echo(json.dumps(values))
    else:
        typer.echo("\n".join(f"{name:<12}{value}" for name, value in values.items()))


@cli.command(rich_help_panel=CALLS, epilog=RESULTS_EXAMPLES)
def results(
    job_id: JobId,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", dir_okay=False, help="Write the JSON to this file."
        ),
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Fetch the results of a completed job.

    In a terminal they are a table.
    With -o, with --json or through a pipe they are the JSON of the server.
    """
    require_wait(timeout, wait)
    bars = Bars()
    with connect(url, bars.show) as client:
        if wait:
            with bars:
                client.wait(job_id, timeout=timeout)
        if output is not None:
            save_results(client, job_id, output)
        elif as_json or not bars.on_stdout:
            client.copy_results(job_id, sys.stdout.buffer)
        else:
            bars.print_table(table_of(client.results(job_id)))


@cli.command(rich_help_panel=SERVES)
def pipelines(as_json: AsJson = False) -> None:
    """List the pipelines installed here, plugins' tools among them."""
    from app.services.pipelines.registry import PipelineRegistry

    registry = PipelineRegistry()
    registry.load_plugins()
    ids = registry.ids()
    typer.echo(json.dumps(ids) if as_json else "\n".join(ids))


@cli.command(rich_help_panel=SERVES)
def serve(
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on; FORGESYTE_HOST or 127.0.0.1 without it.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            help="Port to listen on; FORGESYTE_PORT or 8000 without it.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the server, until Ctrl-C.

    It is configured by FORGESYTE_* environment variables; options come before them.
    """
    configure(host=host, port=port, data_dir=data_dir)
    from app.serving import serve

    serve()


@cli.command(rich_help_panel=SERVES)
def worker(data_dir: DataDir = None) -> None:
    """Run the jobs of a stopped server, until Ctrl-C.

    While it runs, no server can use the same data.
    """
    configure(data_dir=data_dir)
    from app.workers.worker_runner import main

    raise typer.Exit(ExitCode.UNAVAILABLE if main() else ExitCode.DONE)


def configure(**options: object) -> None:
    """Hand options to the settings, which read the environment."""
    given = {name: str(value) for name, value in options.items() if value is not None}
    os.environ.update({f"FORGESYTE_{name.upper()}": value for name, value in given.items()})


def connect(url: str, progress: bool | Observer = False) -> Client:
    try:
        return Client(url, progress=progress)
    except ValueError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--url") from None


def require_wait(timeout: float | None, wait: bool) -> None:
    if timeout is not None and not wait:
        raise typer.BadParameter("it says how long --wait waits", param_hint="--timeout")


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


def json_line(done: Done) -> str:
    """Of ASCII alone, so that every terminal and every pipe can take any file's name."""
    values: dict[str, Any] = {"file": str(done.path), "job_id": done.job_id}
    if done.error is not None:
        values["error"] = str(done.error)
    elif done.results is not None:
        values |= done.results.to_json()
    return json.dumps(values)


def print_text(bars: Bars, done: Done, *, alone: bool) -> None:
    file = printable(str(done.path))
    if done.error is not None:
        bars.print(f"{file}: {printable(str(done.error))}", err=True)
    elif done.results is None:
        bars.print(str(done.job_id) if alone else f"{done.job_id}\t{file}")
    elif bars.on_stdout:
        bars.print(f"{done.job_id}  completed  {file}")
        bars.print_table(table_of(done.results))
    else:
        for span, description in findings(done.results):
            for found in description.split("\n"):
                bars.print("\t".join((str(done.job_id), "completed", file, span, printable(found))))


def table_of(results: Results) -> Table:
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


def utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def exit_code(error: Exception | None) -> ExitCode:
    match error:
        case None:
            return ExitCode.DONE
        case OutcomeUnknown():
            return ExitCode.UNKNOWN
        case ServerUnavailable():
            return ExitCode.UNAVAILABLE
        case Rejected():
            return ExitCode.REFUSED
        case NotFound():
            return ExitCode.NOT_FOUND
        case WaitTimeout():
            return ExitCode.TIMEOUT
    return ExitCode.FAILED


if __name__ == "__main__":
    main()
