"""The one thread on which every database session lives."""

import asyncio
import logging
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from app.core.database import cause_of, database_errors, migrate, reason_of
from app.core.database_place import refuse_bad_place
from app.core.error_messages import describe
from app.core.errors import DatabaseBroken, DatabaseError, StartupError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

HOLDER = re.compile(r"PID (\d+)")


class DatabaseThread:
    """Runs functions one after another, so that no two transactions ever meet.

    From `open` to `close` one connection stays open: DuckDB's lock on the file, which keeps every
    other process out, is gone with the last connection. `on_fatal` is called, on the database's
    thread, when DuckDB has declared itself unusable; nothing short of a new process mends that.

    Raises, from `run` and `call`, besides what the function raises:
        DatabaseError: the database refused.
        Unavailable: it is closed.
    """

    def __init__(self, engine: Engine, on_fatal: Callable[[BaseException], None]) -> None:
        self._engine = engine
        self._on_fatal = on_fatal
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        self._lock_holder: Connection | None = None

    def open(self) -> None:
        """Take the file's lock and bring the schema up to date. Blocks.

        Raises:
            StartupError: the file is in use, cannot be read or written, or is not ours.
        """
        try:
            self._executor.submit(self._open).result()
        except BaseException:
            self.close()
            raise

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args)` on the database's thread, awaited; cancelled, it goes on if it has
        begun."""
        work = partial(function, *args, **kwargs)
        return await asyncio.wrap_future(self._begin(work))

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args)` on the database's thread, waited for by a thread."""
        work = partial(function, *args, **kwargs)
        return self._begin(work).result()

    def close(self) -> None:
        """Let what was asked for finish, and release the file. Blocks; idempotent."""
        try:
            closing = self._executor.submit(self._close)
        except RuntimeError:  # closed before
            return
        self._executor.shutdown()
        if (error := closing.exception()) is not None:  # its log holds what it has committed
            logger.warning("The database did not close in order: %s", describe(error))

    def _open(self) -> None:
        path = Path(self._engine.url.database or "")
        try:
            refuse_bad_place(path)
            if path.is_absolute():
                path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_holder = self._engine.connect()
            migrate(self._lock_holder)
        except StartupError:
            raise
        except Exception as error:  # a migration may raise anything
            raise StartupError(explain(error, path)) from error

    def _close(self) -> None:
        if self._lock_holder is not None:
            self._lock_holder.close()
        self._engine.dispose()

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        try:
            return self._executor.submit(self._guarded, work)
        except RuntimeError as error:  # closed: a stop did not wait for the caller
            raise Unavailable.stopping() from error

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            with database_errors():
                return work()
        except DatabaseBroken as error:
            self._on_fatal(error)
            raise


def explain(error: Exception, path: Path) -> str:
    """One line on why the database did not open."""
    if holder := HOLDER.search(str(cause_of(error))):
        # A process in another namespace of process ids has none here; it is reported as 0.
        who = f"process {holder[1]}" if int(holder[1]) else "another process"
        return f"{path} is in use by {who}: one data folder, one process."
    reason = reason_of(error)
    if isinstance(error, DatabaseError):
        return f"{path} cannot be used: {error}."
    if isinstance(error, CommandError):
        return f"{path} has a schema that this version does not know: {reason}."
    return f"{path} cannot be opened: {reason}"
