"""The commands: what each takes, and what it does."""

import io
import json
import os
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.display import Display, printable
from app.cli.exit_codes import EXPLAINED, ExitCode, exit_code
from app.cli.options import (
    NO_VALUE,
    AsJson,
    DataDir,
    JobId,
    OtherUrl,
    Timeout,
    Url,
    Wait,
    input_file,
    output_file,
)
from app.cli.output import done_as_json, job_as_dict, print_done, results_as_table, save_results
from forgesyte_client import DEFAULT_URL, Client, Done, ForgeSyteClientError, Observer

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
    epilog=EXPLAINED,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
CALLS = "Call a server"
SERVES = "Be the server"


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
        typer.Argument(metavar="FILE", parser=input_file, help="MP4 files; `-` is standard input."),
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
    display = Display()
    try:
        with display, connect(url, display.show) as client:
            if wait:
                done = client.run_many(files, timeout=timeout, **options)
            else:
                done = client.submit_many(files, **options)
            code = report(display, done, as_json=as_json, alone=len(files) == 1)
    except KeyboardInterrupt:
        for job_id, file in display.jobs.items():
            typer.echo(f"{printable(file)}: job {job_id} goes on", err=True)
        raise
    raise typer.Exit(code)


@cli.command(rich_help_panel=CALLS)
def status(job_id: JobId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Say how far a job is."""
    with connect(url) as client:
        job = job_as_dict(client.status(job_id))
    if as_json:
        typer.echo(json.dumps(job))
    else:
        typer.echo("\n".join(f"{name:<12}{value}" for name, value in job.items()))


@cli.command(rich_help_panel=CALLS, epilog=RESULTS_EXAMPLES)
def results(
    job_id: JobId,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            parser=output_file,
            help="Write the JSON to this file.",
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
    display = Display()
    with connect(url, display.show) as client:
        if wait:
            with display:
                client.wait(job_id, timeout=timeout)
        if output is not None:
            save_results(client, job_id, output)
        elif as_json or not display.on_stdout:
            client.copy_results(job_id, sys.stdout.buffer)
        else:
            display.print_table(results_as_table(client.results(job_id)))


@cli.command(rich_help_panel=CALLS)
def pipelines(as_json: AsJson = False, url: OtherUrl = None) -> None:
    """List the pipelines that can be run, plugins' tools among them.

    Those of the server that --url or FORGESYTE_URL names; without either, those installed here.
    """
    if url is not None:
        with connect(url) as client:
            ids = client.pipelines()
    else:
        ids = installed_pipelines()
    typer.echo(json.dumps(ids) if as_json else "\n".join(map(printable, ids)))


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


def report(display: Display, ended: Iterable[Done], *, as_json: bool, alone: bool) -> ExitCode:
    """Print each file as it is done; the highest of their codes."""
    code = ExitCode.DONE
    for done in ended:
        display.remove(done)
        if as_json:
            display.print(done_as_json(done))
        else:
            print_done(display, done, alone=alone)
        code = max(code, exit_code(done.error))
    return code


def installed_pipelines() -> list[str]:
    from app.services.pipelines.registry import PipelineRegistry

    registry = PipelineRegistry()
    with redirect_stdout(sys.stderr):  # what plugins print is not in the list
        registry.load_plugins()
    return registry.ids()


def configure(**options: object) -> None:
    """Hand options to the settings, which read the environment."""
    given = {
        name: str(value.absolute() if isinstance(value, Path) else value)
        for name, value in options.items()
        if value is not None
    }
    os.environ.update({f"FORGESYTE_{name.upper()}": value for name, value in given.items()})


def connect(url: str, progress: bool | Observer = False) -> Client:
    try:
        return Client(url, progress=progress)
    except ValueError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--url") from None


def require_wait(timeout: float | None, wait: bool) -> None:
    if timeout is not None and not wait:
        raise typer.BadParameter("it says how long --wait waits", param_hint="--timeout")
