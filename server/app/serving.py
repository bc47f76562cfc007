"""The server as the process itself, configured by FORGESYTE_* environment variables."""

import logging
import sys

import uvicorn

from app.core.errors import StartupError
from app.core.logs import configure_logging
from app.core.settings import Settings

EXIT_NOT_STARTED = 3  # uvicorn's own for a start that failed


def serve() -> None:
    """Listen until a signal; ends the process with EXIT_NOT_STARTED if it cannot start."""
    configure_logging()
    try:
        settings = Settings.load()
    except StartupError as error:
        logging.getLogger("app").error("%s", error)  # noqa: TRY400 - the one line is all that helps
        sys.exit(EXIT_NOT_STARTED)
    uvicorn.run("app.main:app", host=settings.host, port=settings.port, access_log=False)
