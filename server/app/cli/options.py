"""Arguments and options that several commands have."""

import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.display import printable
from app.core.paths import in_home

NO_VALUE = ""
"""Metavar of a flag."""


def input_file(text: str) -> Path:
    """A file to read; `-` is standard input."""
    path = Path("/dev/stdin") if text == "-" else in_home(text)
    if not os.access(path, os.R_OK) or path.is_dir():
        raise typer.BadParameter(f"{printable(text)} is not a file that can be read")
    return path


def output_file(text: str) -> Path:
    if (path := in_home(text)).is_dir():
        raise typer.BadParameter(f"{printable(text)} is a folder")
    return path


Url = Annotated[
    str, typer.Option(envvar="FORGESYTE_URL", metavar="URL", help="Address of the server.")
]
OtherUrl = Annotated[
    str | None,
    typer.Option(
        envvar="FORGESYTE_URL", metavar="URL", help="Address of the server.", show_default=False
    ),
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
        parser=in_home,
        help="Folder of the database and the videos; FORGESYTE_DATA_DIR or `data` without it.",
        show_default=False,
    ),
]
