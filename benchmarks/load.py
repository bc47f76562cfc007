"""Load on a server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def repeat(call: Callable[[], object], times: int, at_once: int) -> None:
    """Make `times` calls from `at_once` threads."""
    with ThreadPoolExecutor(at_once) as threads:
        for done in [threads.submit(call) for _ in range(times)]:
            done.result()
