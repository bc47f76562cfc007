"""Starting the server: the one place that knows how uvicorn is set up."""

import logging
import sys
from typing import Any

import uvicorn

from app.core.errors import StartupError
from app.core.logs import configure_logging
from app.core.settings import Settings
from app.http_protocol import IDLE_SECONDS, HttpProtocol
from app.main import create_app
from app.workers.exit import EXIT_NOT_STARTED

OPTIONS: dict[str, Any] = {
    "access_log": False,
    "http": HttpProtocol,
    "timeout_keep_alive": IDLE_SECONDS,
    "ws": "none",
}
"""Options of uvicorn that every server of ours has."""


def serve() -> None:
    """Listen until a signal, configured by FORGESYTE_* environment variables; ends the process
    with EXIT_NOT_STARTED if it cannot start."""
    configure_logging()
    try:
        settings = Settings.load()
    except StartupError as error:
        logging.getLogger("app").error("%s", error)  # noqa: TRY400 - the one line is all that helps
        sys.exit(EXIT_NOT_STARTED)
    uvicorn.run(
        "app.main:app",
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        **OPTIONS,
    )


def server_of(settings: Settings) -> uvicorn.Server:
    """A server on a free port of 127.0.0.1 that is not running yet and sets up no logging."""
    app = create_app(settings)
    return uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, **OPTIONS))
