"""A fresh clone of the repository, with the virtual environment that the tests run in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.markdown import REPOSITORY, tracked_files

_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A contributor"), ("EMAIL", "contributor@example.org"))
}


class Clone:
    """What is tracked, as it lies in the working tree, committed in a repository of its own.

    `.venv` is the running interpreter's environment, so that nothing has to be installed; the
    packages of the clone itself come before those that the environment knows.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FORGESYTE_", "GIT_", "MAKE"))
        }
        self.env |= _AUTHOR | {
            "PYTHONPATH": str(root / "server"),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        for path in tracked_files():
            copy = root / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / path, copy)
        self._link_environment()
        self.run("git init --quiet --initial-branch main && git add --all")
        self.run("git commit --quiet --message 'As it is'")

    def run(self, script: str, env: Mapping[str, str] | None = None, *, seconds: float = 60) -> str:
        """Run a script in bash, from the root, and return what it printed.

        Raises AssertionError, with all that it printed, when it fails.
        """
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.root,
            env=self.env | dict(env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def files(self) -> dict[str, bytes]:
        """Every file that is not Git's, the environment's or a leftover of Python, with what it
        holds."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not {".git", ".venv", "__pycache__"} & {*path.parts}
        }

    def _link_environment(self) -> None:
        environment = self.root / ".venv"
        environment.mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (environment / name).symlink_to(Path(sys.prefix, name))
        for stamp in (".run", ".ready"):
            (environment / stamp).touch()
