"""The rollback plan does to a fresh clone what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import rollback
from tests.docs.clone import Clone
from tests.docs.markdown import REPOSITORY, rows, section
from tests.docs.rollback import BLOCKS, PLAN, RolledBack

OF_THE_PHASE = [
    *("server/app/core/database.py", "server/app/models/job.py", "server/app/workers"),
    *("server/app/services/storage", "server/app/services/queue"),
    *(f"server/app/api_routes/routes/job_{name}.py" for name in ("submit", "status", "results")),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RolledBack:
    return RolledBack(tmp_path_factory.mktemp("rollback"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "clone")
    rollback.extract_as_told(clone, tmp_path / "rollback.sh")
    return clone


def test_it_names_what_makes_up_the_phase(done: RolledBack) -> None:
    going = section(PLAN.read_text(), "3. What goes")
    for path in OF_THE_PHASE:
        assert re.search(rf"^    {re.escape(path)}( \\)?$", going, re.MULTILINE), path
        assert any(before.startswith(path) for before in done.before), path
        assert not any(after.startswith(path) for after in done.after), path
    versions = (REPOSITORY / "server/app/migrations/versions").glob("*.py")
    reverted = {row[0] for row in rows(section(PLAN.read_text(), "2. The database"))}
    assert reverted - {"revision", "---"} == {path.name.partition("_")[0] for path in versions}


def test_the_table_goes_its_rows_are_saved_and_videos_stay(done: RolledBack) -> None:
    for kind, name in (("table", "jobs"), ("type", "job_status")):
        count = f"SELECT count(*) FROM duckdb_{kind}s() WHERE {kind}_name = '{name}'"
        assert done.in_database(count) == [(0,)]
    saved = done.after["data/jobs_before_rollback.csv"].decode()
    assert '"a reason, with a ""quotation"""' in saved
    assert done.after["data/video_jobs/video.mp4"] == b"a video"


def test_it_ends_with_a_commit_of_everything(done: RolledBack) -> None:
    assert done.clone.run("git status --porcelain") == ""
    assert done.clone.run("git log --format=%s") == "Roll back phase 16\nAs it is\n"


def test_a_second_run_changes_nothing_but_removes_videos_if_told(done: RolledBack) -> None:
    elsewhere = done.clone.root / "data/elsewhere/video_jobs"
    elsewhere.mkdir(parents=True)
    before = done.clone.run("git rev-parse HEAD")
    done.run(REMOVE_VIDEOS="yes", FORGESYTE_DATA_DIR="data/elsewhere")
    assert not elsewhere.exists()
    assert done.clone.files() == done.after
    assert done.clone.run("git rev-parse HEAD") == before


@pytest.mark.parametrize("blocks", [2, 5, len(BLOCKS) - 1])
def test_a_run_that_broke_off_can_be_started_again(
    done: RolledBack, clone: Clone, blocks: int
) -> None:
    """With nothing lost of what a person did in between."""
    clone.run(".venv/bin/alembic upgrade head")
    with pytest.raises(AssertionError):
        clone.run("".join([*BLOCKS[:blocks], "kill -KILL $$"]))
    (clone.root / "server/app/mine.py").write_text('"""Work."""\n')
    clone.run("".join(BLOCKS))
    tree = "git rev-parse HEAD^{tree}"
    assert clone.run(tree) == done.clone.run(tree)
    assert clone.run("git show stash@{0}^3:server/app/mine.py") == '"""Work."""\n'


def test_what_stays_is_whole_without_the_packages_that_went(
    done: RolledBack, tmp_path: Path
) -> None:
    """Every module imports, tests included, and the tools accept their configurations."""
    gone = {*rollback.packages_that_go()} - {"anyio", "tqdm"}  # which others need
    assert {"duckdb", "duckdb-engine", "sqlalchemy", "alembic"} <= gone
    assert not [line for line in done.after["pyproject.toml"].decode().split('"') if line in gone]
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata, sys\n"
        "for module, names in importlib.metadata.packages_distributions().items():\n"
        f"    if {{name.lower().replace('_', '-') for name in names}} <= {gone}:\n"
        "        sys.modules[module] = None\n"
    )
    env = {"PYTHONPATH": f"{tmp_path}:{done.clone.root}/server"}
    modules = [
        path.removeprefix("server/").removesuffix(".py").replace("/", ".")
        for path in done.after
        if path.endswith(".py") and path.startswith("server/")
    ]
    done.clone.run(f'.venv/bin/python -c "import {", ".join(modules)}"', env)
    application = "from app.main import app; assert app.openapi()['paths'] == {}"
    done.clone.run(f'.venv/bin/python -c "{application}"', env)
    done.clone.run(".venv/bin/pytest --collect-only -p no:cacheprovider -p no:asyncio", env)
    for check in (
        *("ruff format --check server tests", "ruff check server tests", "lint-imports"),
        "check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/tests.yml",
        "check-jsonschema --builtin-schema vendor.github-issue-forms .github/*/feature.yml",
    ):
        done.clone.run(f".venv/bin/{check}")
    assert not [path for path in done.after if "phase16" in path]


def test_work_that_is_not_committed_is_not_lost(clone: Clone) -> None:
    (clone.root / "server/app/workers/mine.py").write_text('"""Work."""\n')
    before = clone.files()
    with pytest.raises(AssertionError, match="Commit or stash"):
        clone.run("bash ../rollback.sh")
    assert clone.files() == before


def test_nothing_goes_while_a_server_holds_the_database(clone: Clone) -> None:
    before = clone.files()
    program = "import duckdb; held = duckdb.connect('data/foregsyte.duckdb'); print(); input()"
    holder = subprocess.Popen(
        [sys.executable, "-u", "-c", program],
        cwd=clone.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(AssertionError, match="Conflicting lock"):
            clone.run("bash ../rollback.sh")
        holder.communicate(b"\n")
    assert {*clone.files()} - {*before} == {"data/foregsyte.duckdb"}


def test_it_can_be_taken_back(done: RolledBack) -> None:
    """The last test of the module: it leaves the clone as it was before."""
    for command in rollback.told("Taking it back"):
        done.clone.run(command)
        done.clone.run("touch .venv/.run .venv/.ready")  # what is linked there has every package
    done.assert_taken_back()
