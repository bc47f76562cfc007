"""`python -m app`: the server on FORGESYTE_HOST and FORGESYTE_PORT."""

import logging
import sys

import uvicorn

from app.core.errors import StartupError
from app.core.logs import configure_logging
from app.core.settings import Settings

configure_logging()
try:
    settings = Settings.load()
except StartupError as error:
    logging.getLogger("app").error("%s", error)  # noqa: TRY400 - the one line is all that helps
    sys.exit(3)
uvicorn.run("app.main:app", host=settings.host, port=settings.port, access_log=False)
