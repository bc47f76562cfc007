"""How many files and sockets this process may have open, and what happens past that."""

import asyncio
import logging
import math
import resource
from typing import Any

logger = logging.getLogger(__name__)

ASYNCIO_MESSAGE = "socket.accept() out of system resource"
QUIET_SECONDS = 60


def raise_open_file_limit() -> None:
    """Raise the soft limit to the hard one: each upload in flight holds a socket and a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def log_shortage_in_one_line(loop: asyncio.AbstractEventLoop) -> None:
    """Past the limit new connections wait. asyncio's own loop would print a traceback for each of
    2,048 tries a second to accept one; let it say so once in a while instead."""
    last = -math.inf

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal last
        if context.get("message") != ASYNCIO_MESSAGE:
            loop.default_exception_handler(context)
        elif loop.time() >= last + QUIET_SECONDS:
            last = loop.time()
            logger.warning("No file descriptor is left; new connections have to wait.")

    loop.set_exception_handler(handle)
