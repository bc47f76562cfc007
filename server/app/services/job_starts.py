"""How often an unfinished job was started, and how that ended."""

import re
from typing import NamedTuple, Self

MAX_CRASHES = 2
MAX_STARTS = 100
NOTE = re.compile(r"Starts: (\d+)\. Crashes: (\d+)\.(?: Boot: (.*)\.)?")
NOTE_OF_0_1_0 = "The server ended while this job was running; it was started again."


class Starts(NamedTuple):
    """As a text it is kept in the row's `error_message`, which holds no error yet."""

    started: int = 0
    crashed: int = 0
    boot: str = ""
    """Of the machine that the job was started on last; empty when it does not run."""

    @classmethod
    def of(cls, note: str | None) -> Self:
        if note == NOTE_OF_0_1_0:
            return cls(started=1, crashed=1)
        if note is None or (found := NOTE.fullmatch(note)) is None:
            return cls()
        return cls(int(found[1]), int(found[2]), found[3] or "")

    def __str__(self) -> str:
        counts = f"Starts: {self.started}. Crashes: {self.crashed}."
        return f"{counts} Boot: {self.boot}." if self.boot else counts

    def begun(self, boot: str) -> Self:
        """Started once more."""
        return self._replace(started=self.started + 1, boot=boot)

    def stopped(self) -> Self:
        """Ended by something that is not the job's fault."""
        return self._replace(started=max(1, self.started), boot="")  # 0.1.0 kept no count

    def crashed_again(self) -> Self:
        return self.stopped()._replace(crashed=self.crashed + 1)
