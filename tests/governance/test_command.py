"""The command as people and CI run it: exit codes, output, any working directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.governance.conftest import REPOSITORY, Judge
from tools import validate_phase16_path as command

SCRIPT = "server/tools/validate_phase16_path.py"
PLANTED = {"server/app/planted.py": "import redis\n\nREAL_TIME = 1\n"}


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_it_judges_its_own_tree_from_any_folder(tmp_path: Path) -> None:
    done = run(REPOSITORY / SCRIPT, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    files, _, said = done.stdout.partition(" ")
    assert int(files) > 40
    assert said == "functional files scanned, 0 violations.\n"


def test_a_copy_of_it_judges_the_copy(root: Path, judged: Judge) -> None:
    judged(PLANTED)
    (root / "server/tools").mkdir()
    for path in (REPOSITORY / SCRIPT, command.RULES):
        (root / "server/tools" / path.name).write_bytes(path.read_bytes())
    done = run(root / SCRIPT, folder=root / "server/app")
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "server/app/planted.py:1: [external-queue] `redis` is used: "
        "The queue is in memory and is filled from the database at start-up.",
        'server/app/planted.py:3: [real_time] "REAL_TIME": '
        "A job is answered when it is done; nothing is promised while it runs.",
    ]


def test_violations_as_json(root: Path, judged: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    judged(PLANTED)
    assert command.main(["--json", "--root", os.fspath(root)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["files"] == 4
    first, _ = answer["violations"]
    assert (first["path"], first["line"]) == ("server/app/planted.py", 1)


@pytest.mark.parametrize(
    ("path", "content", "complaint"),
    [
        ("alembic.ini", None, "no alembic.ini to judge"),
        ("server/app/core/database.py", None, "no server/* to judge"),
        ("server/app/x.py", b"def f(:\n", "server/app/x.py:1 cannot be parsed"),
        ("server/app/x.txt", b"caf\xe9", "server/app/x.txt cannot be read as text"),
    ],
)
def test_a_tree_that_cannot_be_read_is_not_judged(
    root: Path, capsys: pytest.CaptureFixture[str], path: str, content: bytes | None, complaint: str
) -> None:
    (root / path).unlink() if content is None else (root / path).write_bytes(content)
    assert command.main(["--root", os.fspath(root)]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("terms:\n", "ignored: [server]\nterms:\n"),
        ("terms:\n", "terms: [\n"),
        ("    spellings: [", "    patterns: ["),
        ("    reason: Jobs run on", "    reason: ''\n    but: Jobs run on"),
        ("    files: [setup.py,", "    except: [tests]\n    files: [setup.py,"),
        ("'(?i)(?<!", "'(?i)(?<!("),
    ],
)
def test_rules_with_a_flaw_are_not_used(tmp_path: Path, old: str, new: str) -> None:
    flawed = tmp_path / "rules.yaml"
    flawed.write_text(command.RULES.read_text().replace(old, new, 1))
    with pytest.raises(command.CannotJudge, match="cannot be used"):
        command.load_rules(flawed)


def test_a_defect_of_the_validator_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "judge", lambda _: 1 / 0)
    assert command.main([]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_without_its_packages_it_gives_no_verdict(tmp_path: Path) -> None:
    done = run("-I", "-S", REPOSITORY / SCRIPT, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Could not judge: No module named")
