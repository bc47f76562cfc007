"""The command line, `forgesyte`.

Half of it calls a server, and needs nothing but the client; the other half is the server, and is
imported when it is asked for.
"""

import json
import os
import sys
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.bars import Bars
from forgesyte_client import (
    DEFAULT_URL,
    Client,
    Done,
    ForgeSyteClientError,
    NotFound,
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


EPILOG = """
Exit codes:
0  done
1  a job has failed, or a file cannot be read or written
2  wrong usage
3  the server cannot be reached, or cannot start
4  the server refuses the file or the pipeline
5  there is no such job, or it has no results yet
6  a job was not over within --timeout
Of several files, the highest counts.
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

Url = Annotated[str, typer.Option(envvar="FORGESYTE_URL", help="Address of the server.")]
JobId = Annotated[str, typer.Argument(help="As `submit` printed it.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
Timeout = Annotated[
    float | None,
    typer.Option(min=0, help="With --wait: seconds for a job.", show_default=False),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the database and the videos.", show_default="data"),
]


def main() -> None:
    try:
        cli()
    except (ForgeSyteClientError, OSError) as error:
        typer.echo(f"forgesyte: {error}", err=True)
        sys.exit(exit_code(error))


@cli.command(rich_help_panel=CALLS)
def submit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, readable=True, help="MP4 files."
        ),
    ],
    pipeline: Annotated[
        str, typer.Option("--pipeline", "-p", help="What to run over every frame, like `ocr`.")
    ],
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Stay, and print the results.")
    ] = False,
    timeout: Timeout = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Files at a time.")] = 8,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Upload videos.

    Prints the id of the job; of several, each with its file.
    With --json, each file is a line of JSON.
    """
    options: dict[str, Any] = {"pipeline_id": pipeline, "concurrency": concurrency}
    code = ExitCode.DONE
    bars = Bars()
    try:
        with bars, Client(url, progress=bars.show) as client:
            if wait:
                ended = client.run_many(files, timeout=timeout, **options)
            else:
                ended = client.submit_many(files, **options)
            for done in ended:
                bars.drop(done.path)
                print_line(done) if as_json else print_text(done, alone=len(files) == 1)
                code = max(code, exit_code(done.error))
    except KeyboardInterrupt:
        for file, job_id in bars.jobs.items():
            typer.echo(f"{file}: job {job_id} goes on", err=True)
        raise
    raise typer.Exit(code)


@cli.command(rich_help_panel=CALLS)
def status(job_id: JobId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Say how far a job is."""
    with Client(url, progress=False) as client:
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


@cli.command(rich_help_panel=CALLS)
def results(
    job_id: JobId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", dir_okay=False, help="Write the JSON to this file."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until the job is over.")] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Fetch the results of a completed job.

    In a terminal they are a table.
    With -o, with --json or through a pipe they are the JSON of the server.
    """
    with Bars() as bars, Client(url, progress=bars.show) as client:
        if wait:
            client.wait(job_id, timeout=timeout)
        if output is not None:
            save_results(client, job_id, output)
        elif as_json or not sys.stdout.isatty():
            client.copy_results(job_id, sys.stdout.buffer)
        else:
            print_findings(client.results(job_id))


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
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="8000")
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


def save_results(client: Client, job_id: str, output: Path) -> None:
    """All of the document at `output`, or nothing."""
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            client.copy_results(job_id, file)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def print_line(done: Done) -> None:
    values: dict[str, Any] = {"file": str(done.path), "job_id": done.job_id}
    if done.error is not None:
        values["error"] = str(done.error)
    elif done.results is not None:
        values |= done.results.to_json()
    typer.echo(json.dumps(values, ensure_ascii=False))


def print_text(done: Done, *, alone: bool) -> None:
    if done.error is not None:
        typer.echo(f"{done.path}: {done.error}", err=True)
    elif done.results is not None:
        typer.echo(f"{done.job_id}  completed  {done.path}")
        print_findings(done.results)
    else:
        typer.echo(done.job_id if alone else f"{done.job_id}  {done.path}")


def print_findings(results: Results) -> None:
    """A row for frames that follow each other with the same findings."""
    table = Table("frames", "found")
    for frames, description in runs(results):
        first, last = frames[0].frame_index, frames[-1].frame_index
        table.add_row(f"{first}" if first == last else f"{first}-{last}", Text(description))
    Console().print(table)


def utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def exit_code(error: Exception | None) -> ExitCode:
    match error:
        case None:
            return ExitCode.DONE
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
