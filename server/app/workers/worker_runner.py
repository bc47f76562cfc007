"""The worker on its own: `python -m app.workers.worker_runner`.

Runs what is pending, then idles until SIGINT or SIGTERM. While it runs it holds the database, so
no server can take submissions on the same data folder.
"""

import asyncio
import logging
import sys

from app.core.errors import StartupError
from app.core.logs import configure_logging
from app.core.settings import Settings
from app.workers.exit import EXIT_FAILURE
from app.workers.runtime import Runtime
from app.workers.shutdown import Shutdown

logger = logging.getLogger("app.workers.worker_runner")  # run as a script, it is __main__


async def run() -> None:
    """Work until a signal.

    Raises:
        StartupError: one line on what is in the way.
    """
    settings = Settings.load()
    configure_logging(settings.log_level)
    runtime = Runtime(settings)
    stopping = asyncio.Event()
    shutdown = Shutdown(runtime, begin=stopping.set)
    with shutdown.wrapping_signal_handlers(passing_on=False):
        await runtime.start()
        await stopping.wait()
        await shutdown.finish()


def main() -> int:
    configure_logging()
    try:
        asyncio.run(run())
    except StartupError as error:
        logger.error("%s", error)  # noqa: TRY400 - the one line is all that helps
        return EXIT_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
