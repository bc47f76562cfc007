"""Waiting for whichever comes first."""

import asyncio


async def wait_any(*events: asyncio.Event, timeout: float | None) -> None:
    """Return when one of the events is set, or after `timeout` seconds; None waits for ever."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
