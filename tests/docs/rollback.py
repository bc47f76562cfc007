"""The rollback plan: its script, and what it says of every file."""

import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.clone import Clone
from tests.docs.markdown import PHASE, commands, fences, section

PLAN = PHASE / "Rollback_Plan.md"
BRANCH = "roll-back-phase-16"


def script() -> str:
    return "".join(fences(PLAN.read_text(), "bash"))


def removed() -> list[str]:
    """The files and folders that the plan removes."""
    blocks = section(PLAN.read_text(), "3. What goes")
    calls = re.findall(r"^rm -rf((?: .*\\\n)*.*)$", blocks, re.MULTILINE)
    return [path for call in calls for path in call.replace("\\\n", " ").split()]


def changed() -> list[str]:
    """The files that the plan writes anew, or adds to."""
    blocks = section(PLAN.read_text(), "4. What changes")
    return re.findall(r"^cat > (\S+) <<'END'$", blocks, re.MULTILINE) + re.findall(
        r"^    sed -i .* (\S+)$", blocks, re.MULTILINE
    )


def kept() -> list[str]:
    """The files and folders that stay as they are; a folder has a slash at its end."""
    items = section(PLAN.read_text(), "5. What stays").partition("\n- ")[2]
    return re.findall(r"`([^`]+)`", items)


def extract_as_told(clone: Clone, script: Path) -> None:
    """Take the script out of the plan with the command that the plan gives."""
    extraction = commands(PLAN.read_text())[0].text
    clone.run(extraction.replace("/tmp/rollback.sh", str(script)))


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
