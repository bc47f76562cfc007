"""The rollback plan: its script, what it says of every file, and a clone that it was run on."""

import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import duckdb
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.clone import Clone
from tests.docs.markdown import PHASE, commands, fences, section

PLAN = PHASE / "Rollback_Plan.md"
BRANCH = "roll-back-phase-16"
BLOCKS = fences(PLAN.read_text(), "bash")
ROW = """
    INSERT INTO jobs VALUES (
        '66e1ee30-a53d-4190-b068-ec8821ddcf68', 'failed', '2026-11-22 10:29:48.009359',
        '2026-11-22 10:29:48.629164', 'ocr', 'video.mp4', NULL, 'a reason, with a "quotation"'
    )
"""


def script() -> str:
    return "".join(BLOCKS)


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
        self.tree = self.clone.run("git rev-parse HEAD^{tree}")

    def run(self, **env: str) -> str:
        return self.clone.run(f"bash {self.script}", env)

    def in_database(self, query: str) -> list[tuple[object, ...]]:
        with duckdb.connect(self.database, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def assert_taken_back(self) -> None:
        """Every file that was there before is as it was, and so is the row of the job."""
        now = self.clone.files()
        for path in self.before.keys() - {"data/foregsyte.duckdb"}:
            assert now[path] == self.before[path], path
        assert self.in_database("SELECT error_message FROM jobs") == [
            ('a reason, with a "quotation"',)
        ]


def removed() -> list[str]:
    """The files and folders that the plan removes."""
    blocks = section(PLAN.read_text(), "3. What goes")
    calls = re.findall(r"^rm -rf((?: .*\\\n)*.*)$", blocks, re.MULTILINE)
    return [path for call in calls for path in call.replace("\\\n", " ").split()]


def changed() -> list[str]:
    """The files that the plan writes anew, or adds to."""
    blocks = section(PLAN.read_text(), "4. What changes")
    return re.findall(r"^cat > (\S+) <<'END'$", blocks, re.MULTILINE) + re.findall(
        r"^ *sed -i .* (\S+)$", blocks, re.MULTILINE
    )


def kept() -> list[str]:
    """The files and folders that stay as they are; a folder has a slash at its end."""
    items = section(PLAN.read_text(), "5. What stays").partition("\n- ")[2]
    return re.findall(r"`([^`]+)`", items)


def extract_as_told(clone: Clone, script: Path) -> None:
    """Take the script out of the plan with the command that the plan gives."""
    extraction = commands(PLAN.read_text())[0].text
    clone.run(extraction.replace("/tmp/rollback.sh", str(script)))


def checking() -> list[str]:
    """The commands that check what is left."""
    return [command.text for command in commands(section(PLAN.read_text(), "6. End"))]


def undoing() -> list[str]:
    """The commands that take the rollback back."""
    return [command.text for command in commands(section(PLAN.read_text(), "Taking it back"))]


def packages_that_went(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """The distributions that the files before need to be installed, and those after do not."""
    development = after["requirements-dev.txt"].decode().splitlines()
    stays = [*dependencies(after), *(line for line in development if not line.startswith("-e"))]
    return with_their_own(dependencies(before)) - with_their_own(stays)


def dependencies(files: dict[str, bytes]) -> list[str]:
    found: list[str] = tomllib.loads(files["pyproject.toml"].decode())["project"]["dependencies"]
    return found


def with_their_own(requirements: Iterable[str]) -> set[str]:
    """The names of what is required, of what that requires, and so on, as it is installed."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += map(Requirement, importlib.metadata.requires(name) or ())
    return found


def block_imports(folder: Path, distributions: set[str]) -> None:
    """Make a `sitecustomize` by which these distributions seem not to be installed."""
    modules = [
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if {*map(canonicalize_name, owners)} <= distributions
    ]
    (folder / "sitecustomize.py").write_text(
        f"import sys\nfor name in {json.dumps(modules)}:\n    sys.modules[name] = None\n"
    )
