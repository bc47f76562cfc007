"""Pipelines that wait, fail or bring the process down, each in its own way.

`sleep` sleeps PIPELINE_SLEEP_SECONDS a frame (default 0.1) and, when PIPELINE_LOG names a file,
appends a line of JSON there as each frame begins and ends.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

Pipeline = Callable[[Mapping[str, Any]], dict[str, Any]]


class Disaster(BaseException):
    """An exception that `except Exception` does not catch."""


def sleep() -> Pipeline:
    seconds = float(os.environ.get("PIPELINE_SLEEP_SECONDS", "0.1"))
    log = os.environ.get("PIPELINE_LOG")

    def note(event: str, frame_index: int) -> None:
        if log is None:
            return
        entry = {"event": event, "frame_index": frame_index, "pid": os.getpid()}
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry | {"time": time.time()}) + "\n")

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        note("began", payload["frame_index"])
        time.sleep(seconds)
        note("ended", payload["frame_index"])
        return {"slept": seconds}

    return run


class PureSleep:
    """`sleep`, whose answers may be kept."""

    pure = True

    def __init__(self) -> None:
        self._run = sleep()

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        return self._run(payload)


class Count:
    """Counts the frames that it has seen."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        self._seen += 1
        return {"seen": self._seen}


class PureLines(PureSleep):
    """Answers ten lines of text, 2.2 KB of JSON, that are different for each frame."""

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        blocks = [
            {
                "text": f"Line {line} of frame {payload['frame_index']}, " + 12 * "and so on, ",
                "confidence": 0.9321,
                "bbox": {"x": 10, "y": 20 * line, "width": 300, "height": 18},
            }
            for line in range(10)
        ]
        return {"text": "", "blocks": blocks}


def busy() -> Pipeline:
    """Keeps the interpreter from everybody else for a tenth of a second a frame."""

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        turns, end = 0, time.perf_counter() + 0.1
        while time.perf_counter() < end:
            turns += 1
        return {"turns": turns}

    return run


def nothing() -> Pipeline:
    return lambda payload: {}


def echo() -> Pipeline:
    """Answers with what it was given: the number and size of the frame, and of its JPEG."""

    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        height, width, _ = payload["frame"].shape
        return {
            "number": payload["frame_index"],
            "height": height,
            "width": width,
            "jpeg_bytes": len(payload["image_bytes"]),
        }

    return run


def raise_exception() -> Pipeline:
    def run(payload: Mapping[str, Any]) -> NoReturn:
        raise ValueError("The pipeline raised an exception.")

    return run


def raise_base_exception() -> Pipeline:
    def run(payload: Mapping[str, Any]) -> NoReturn:
        raise Disaster("The pipeline raised a disaster.")

    return run


def raise_memory_error() -> Pipeline:
    return lambda payload: {"too_much": bytearray(sys.maxsize)}


def raise_system_exit() -> Pipeline:
    return lambda payload: sys.exit("The pipeline wants to leave.")


def raise_recursion_error() -> Pipeline:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        return run(payload)

    return run


def raise_in_factory() -> NoReturn:
    raise RuntimeError("The factory of this pipeline raised an exception.")


def segfault() -> Pipeline:
    def run(payload: Mapping[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGSEGV)
        return {}

    return run


class PureSegfault(PureSleep):
    """Ends the process at frame 100."""

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        if payload["frame_index"] == 100:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().__call__(payload)
