"""The command as people and CI run it: exit codes, output, any working directory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.governance.planting import REPOSITORY, Plant
from tools import validate_phase16_path as command
from tools.governance.findings import CannotJudge
from tools.governance.policy import Example

SCRIPT = "server/tools/validate_phase16_path.py"
PLANTED = Example("server/app/services/planted.py", "import redis\n\nREAL_TIME = 1\n", None)


def run(script: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, script], cwd=folder, capture_output=True, text=True, check=False
    )


def test_it_judges_its_own_tree_from_any_folder(tmp_path: Path) -> None:
    done = run(REPOSITORY / SCRIPT, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(" functional files scanned, 0 violations.\n")


def test_a_copy_of_it_judges_the_copy(plant: Plant) -> None:
    with plant(PLANTED) as root:
        done = run(root / SCRIPT, root / "server" / "app")
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "server/app/services/planted.py:1: [external-queue] redis is used: "
        "The queue is in memory and is filled from the database at start-up.",
        'server/app/services/planted.py:3: [real_time] "REAL_TIME": '
        "A job is answered when it is done; nothing is promised while it runs.",
    ]


def test_a_copy_of_it_brings_its_own_rules(plant: Plant) -> None:
    spoken = Example("server/tools/governance/findings.py", "broken: ", "[{self.rule}] ")
    with plant(PLANTED), plant(spoken) as root:
        done = run(root / SCRIPT, root)
    assert done.stdout.startswith("server/app/services/planted.py:1: broken: redis is used")


def test_violations_as_json(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    with plant(PLANTED) as root:
        assert command.main(["--json", "--root", str(root)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["files"] > 40
    assert [(v["path"], v["line"], v["rule"]) for v in answer["violations"]] == [
        (PLANTED.path, 1, "external-queue"),
        (PLANTED.path, 3, "real_time"),
    ]
    assert answer["violations"][0].keys() == {"path", "line", "rule", "message"}


def test_a_tree_that_is_none_cannot_be_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--root", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Could not judge: There is no alembic.ini to judge")


def test_what_cannot_be_judged_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--json", "--root", str(tmp_path)]) == 2
    assert json.loads(capsys.readouterr().out).keys() == {"error"}


def test_a_broken_file_cannot_be_judged_though_another_breaks_a_rule(plant: Plant) -> None:
    broken = Example("server/app/services/broken.py", "def f(:\n", None)
    with plant(PLANTED), plant(broken) as root:
        assert command.main(["--root", str(root)]) == 2


def test_a_defect_of_the_validator_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "judge", fail)
    assert command.main([]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_without_its_packages_it_gives_no_verdict(tmp_path: Path) -> None:
    done = run(REPOSITORY / SCRIPT, tmp_path, "-I", "-S")
    assert done.returncode == 2
    assert done.stderr.startswith("Could not judge: No module named")


def test_there_is_no_option_to_pass_over_anything() -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--ignore", "server/app"])
    assert caught.value.code == 2


def test_a_vocabulary_that_cannot_be_read_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise CannotJudge("unreadable")

    monkeypatch.setattr(command, "load_policy", refuse)
    assert command.main([]) == 2
