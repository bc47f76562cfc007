"""What a person sees: lines of text, and in a terminal the progress of each file under way."""

import os
import stat
import sys
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self
from unicodedata import category

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from forgesyte_client import Done, Step

SECONDS_BETWEEN_DRAWINGS = 0.1


class Display:
    """The bars are on standard output or error, whichever is a terminal, unless standard output is
    a pipe: what reads it may write to that terminal.

    Whatever is to appear on the same terminal meanwhile has to be printed here, so that it stands
    above them and is not overwritten.

    Rich can redraw from a thread of its own, but shares no lock with what prints meanwhile, and a
    line could be drawn over; so all drawing is done here, under one.
    """

    def __init__(self) -> None:
        self.on_stdout = sys.stdout.isatty()
        self._on_stderr = sys.stderr.isatty() and (
            not self.on_stdout or os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
        )
        self._console = Console(stderr=not self.on_stdout)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not (self.on_stdout or self._on_stderr) or is_pipe(sys.stdout.fileno()),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
            auto_refresh=False,
        )
        self._drawing = Lock()
        self._ended = Event()
        self._redrawer = Thread(target=self._redraw, name="redrawer", daemon=True)
        self._tasks: dict[str, TaskID] = {}
        self.jobs: dict[str, str] = {}
        """The file of each job that is under way, by the job's id."""

    def __enter__(self) -> Self:
        self._progress.start()
        self._redrawer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._redrawer.join()
        self._progress.stop()

    def _redraw(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_DRAWINGS):
            with self._drawing:
                self._progress.refresh()

    def show(self, step: Step) -> None:
        if step.subject not in self._tasks:
            name = printable(Path(step.subject).name)
            state = step.status or "uploading"
            with self._drawing:
                self._tasks[step.subject] = self._progress.add_task(name, total=None, state=state)
        task = self._tasks[step.subject]
        if step.job_id is None:
            self._progress.update(task, completed=step.sent, total=step.size or None)
        else:
            self._progress.update(task, state=step.status)
            self.jobs[step.job_id] = step.subject

    def remove(self, done: Done) -> None:
        """The file is done: its line goes."""
        if done.job_id is not None:
            self.jobs.pop(done.job_id, None)
        if (task := self._tasks.pop(str(done.path), None)) is not None:
            self._progress.remove_task(task)

    def print(self, line: str, *, err: bool = False) -> None:
        if self._on_stderr if err else self.on_stdout:
            with self._drawing:
                self._console.print(Text(line), soft_wrap=True)
        else:
            typer.echo(line, err=err)

    def print_table(self, table: Table) -> None:
        """Wrapped to the width of the terminal that standard output is."""
        with self._drawing:
            self._console.print(table)


def is_pipe(descriptor: int) -> bool:
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)


def printable(text: str) -> str:
    """The text with what a terminal would obey, or cannot encode, escaped as in Python.

    What stands in a video, in a file's name or in an answer is not ours to be obeyed.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if category(character) in ("Cc", "Cs")
        else character
        for character in text
    )
