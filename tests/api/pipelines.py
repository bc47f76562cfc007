"""Pipelines for in-process tests, which can hold a job where a test wants it."""

import threading
from collections.abc import Mapping
from typing import Any

released = threading.Event()


def nothing() -> object:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    return run


def hold() -> object:
    """Each frame waits until the test sets `released`."""

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        assert released.wait(60)
        return {}

    return run


def boom() -> object:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        raise RuntimeError(
            f"frame {payload['frame_index']} is broken, see /secret/folder/model.bin"
        )

    return run
