"""The rollback plan: its script, and a clone that it was run on."""

import re
from pathlib import Path

import duckdb

from tests.docs.clone import Clone
from tests.docs.markdown import PHASE, commands, fences, section

PLAN = PHASE / "Rollback_Plan.md"
BLOCKS = fences(PLAN.read_text(), "bash")
REASON = 'a reason, with a "quotation"'
ROW = f"""
    INSERT INTO jobs VALUES (
        '66e1ee30-a53d-4190-b068-ec8821ddcf68', 'failed', '2026-11-22 10:29:48.009359',
        '2026-11-22 10:29:48.629164', 'ocr', 'video.mp4', NULL, '{REASON}'
    )
"""


class RolledBack:
    """A clone that had one job before the plan was run on it, and what was there then."""

    def __init__(self, folder: Path) -> None:
        self.clone = Clone(folder / "clone")
        self.script = folder / "rollback.sh"
        self.database = self.clone.root / "data/foregsyte.duckdb"
        self.clone.run(".venv/bin/alembic upgrade head")
        with duckdb.connect(self.database) as connection:
            connection.execute(ROW)
        videos = self.clone.root / "data/video_jobs"
        videos.mkdir()
        (videos / "video.mp4").write_bytes(b"a video")
        self.before = self.clone.files()
        extract_as_told(self.clone, self.script)
        self.run()
        self.after = self.clone.files()

    def run(self, **env: str) -> str:
        return self.clone.run(f"bash {self.script}", env)

    def in_database(self, query: str) -> object:
        with duckdb.connect(self.database, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def assert_taken_back(self) -> None:
        """Every file that was there before is as it was, and so is the row of the job."""
        now = self.clone.files() | {"data/foregsyte.duckdb": self.before["data/foregsyte.duckdb"]}
        assert {path: now.get(path) for path in self.before} == self.before
        assert self.in_database("SELECT error_message FROM jobs") == [(REASON,)]


def extract_as_told(clone: Clone, script: Path) -> None:
    """Take the script out of the plan with the command that the plan gives."""
    extraction = commands(PLAN.read_text())[0].text
    clone.run(extraction.replace("/tmp/rollback.sh", str(script)))


def told(heading: str) -> list[str]:
    """The commands that a section of the plan gives to a person."""
    return [command.text for command in commands(section(PLAN.read_text(), heading))]


def packages_that_go() -> list[str]:
    (names,) = re.findall(r'^gone="([^"]+)"', "".join(BLOCKS), re.MULTILINE)
    return str(names).split()
