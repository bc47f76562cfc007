"""Progress in the terminal: a line for each file that is under way."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from forgesyte_client import Step


class Bars:
    """Shown on standard output or error, whichever is a terminal; else nowhere.

    On the same terminal, what is printed meanwhile appears above them.
    """

    def __init__(self) -> None:
        on_stdout = sys.stdout.isatty()
        console = Console(stderr=not on_stdout)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            redirect_stdout=on_stdout,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self.jobs: dict[str, str] = {}
        """The job of each file that has become one and is under way."""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, step: Step) -> None:
        if step.subject not in self._tasks:
            name = Path(step.subject).name
            self._tasks[step.subject] = self._progress.add_task(name, state="uploading")
        task = self._tasks[step.subject]
        if step.job_id is None:
            self._progress.update(task, completed=step.sent, total=step.size)
        else:
            self._progress.update(task, state=step.status)
            self.jobs[step.subject] = step.job_id

    def drop(self, path: Path) -> None:
        """The file is done: its line goes."""
        self.jobs.pop(str(path), None)
        if (task := self._tasks.pop(str(path), None)) is not None:
            self._progress.remove_task(task)
