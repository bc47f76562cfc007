"""Which signals reach the handlers that were there before."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

import pytest

from app.core.settings import Settings
from app.workers.runtime import Runtime
from app.workers.shutdown import Shutdown

Heard = list[int]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What reached the handlers of a server that was there first, in a terminal."""
    numbers: Heard = []

    def hear(number: int, frame: FrameType | None) -> None:
        numbers.append(number)

    previous = {n: signal.signal(n, hear) for n in (signal.SIGINT, signal.SIGTERM)}
    previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield numbers
    for number, handler in previous.items():
        signal.signal(number, handler)


@asynccontextmanager
async def stopped_by_signals(data_dir: Path) -> AsyncIterator[None]:
    """A runtime, stopped by the signals that the block raises before the loop has run."""
    runtime = Runtime(Settings(data_dir=data_dir))
    await runtime.start()
    shutdown = Shutdown(runtime)
    with shutdown.wrapping_signal_handlers():
        yield
        await shutdown.finish()


@pytest.mark.asyncio
async def test_a_terminal_that_closes_stops_the_server_as_sigterm_does(
    tmp_path: Path, heard: Heard
) -> None:
    async with stopped_by_signals(tmp_path):
        signal.raise_signal(signal.SIGHUP)
    assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.asyncio
async def test_a_process_that_is_to_outlive_its_terminal_does(tmp_path: Path, heard: Heard) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    async with stopped_by_signals(tmp_path):
        signal.raise_signal(signal.SIGHUP)
    assert heard == []


@pytest.mark.asyncio
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
async def test_only_the_first_of_two_that_come_together_is_passed_on(
    tmp_path: Path, heard: Heard, second: signal.Signals
) -> None:
    async with stopped_by_signals(tmp_path):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(second)
    assert heard == [signal.SIGTERM]
