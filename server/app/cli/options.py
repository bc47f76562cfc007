"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

NO_VALUE = ""
"""Metavar of a flag."""

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
