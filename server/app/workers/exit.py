"""How the process ends, and what its exit code says."""

import logging
import os

EXIT_FAILURE = 1
EXIT_NOT_STARTED = 3
"""Of a server that cannot start; uvicorn's own."""


def exit_now(code: int) -> None:
    """End the process at once, whatever its threads are doing."""
    logging.shutdown()
    os._exit(code)
