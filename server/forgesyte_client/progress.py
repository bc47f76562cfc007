"""Telling how far uploads and jobs are."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from tqdm import tqdm

from forgesyte_client.models import JobStatus


@dataclass(frozen=True, slots=True)
class Step:
    """How far one file is: `sent` of `size` bytes, 0 if not known; then its job's status, as often
    as asked for.

    `subject` is the file's path, or the job's id where that is all there is. `job_id` and `status`
    come together.
    """

    subject: str
    sent: int = 0
    size: int = 0
    job_id: str | None = None
    status: JobStatus | None = None


Observer: TypeAlias = Callable[[Step], None]
"""Called on the event loop, so it has to be quick.

What it raises stops neither the upload nor the waiting: the loop's exception handler gets it, which
logs it unless told otherwise.
"""


def guarded(observer: Observer) -> Observer:
    """The observer, its exceptions handed to the event loop."""

    def observe(step: Step) -> None:
        try:
            observer(step)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"The observer raised at {step}", "exception": error}
            )

    return observe


@contextmanager
def observed(progress: bool | Observer) -> Iterator[Observer]:
    """What is to be told of each step: the given observer, a bar, or nobody."""
    if callable(progress):
        yield guarded(progress)
        return
    with _bar(progress, unit="B", unit_scale=True, unit_divisor=1024) as bar:

        def show(step: Step) -> None:
            name = step.subject.rpartition("/")[2]
            if step.status is None:
                bar.total = step.size or None
                bar.set_description_str(f"{name}: ", refresh=False)
                bar.update(step.sent - bar.n)
            else:
                bar.bar_format = "{desc} [{elapsed}]"
                bar.set_description_str(f"{name}: {step.status}")

        yield show


@contextmanager
def counted(
    progress: bool | Observer, total: int | None
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """A bar that counts files; what it yields is entered for each file that is done, and is out of
    the way until it is left, so that one can print meanwhile."""
    with _bar(progress is True, total=total, unit=" files") as bar:

        @contextmanager
        def one_more() -> Iterator[None]:
            bar.update()
            bar.clear()
            yield
            bar.refresh()

        yield one_more


def _bar(shown: bool, **options: Any) -> "tqdm[NoReturn]":
    """A bar in the notebook's cell, or on standard error if that is a terminal; else none."""
    in_notebook = type(sys.stdout).__module__.startswith("ipykernel")
    where_possible = False if in_notebook else None  # None: only in a terminal
    return tqdm(
        disable=where_possible if shown else True,
        file=sys.stdout if in_notebook else sys.stderr,
        **options,
    )
