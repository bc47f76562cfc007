"""The rollback plan names every file, and does to a fresh clone what it says."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.docs import rollback
from tests.docs.clone import Clone
from tests.docs.markdown import REPOSITORY, rows, section, tracked_files
from tests.docs.rollback import BLOCKS, BRANCH, PLAN, RolledBack
from tools.local_server import LocalServer

COUNT = "SELECT count(*) FROM duckdb_{}() WHERE {} = '{}'"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RolledBack:
    return RolledBack(tmp_path_factory.mktemp("rollback"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def covers(path: str, named: str) -> bool:
    return path == named or path.startswith(f"{named.rstrip('/')}/")


def test_every_tracked_file_is_removed_changed_or_kept() -> None:
    named = [*rollback.removed(), *rollback.changed(), *rollback.kept()]
    unnamed = [path for path in tracked_files() if not any(covers(path, name) for name in named)]
    assert not unnamed, (
        f"{PLAN.name} must say what becomes of these, under 'What goes' or 'What stays': "
        f"{', '.join(unnamed)}"
    )


def test_everything_it_names_exists() -> None:
    files = tracked_files()
    new = {".github/workflows/tests.yml"}
    gone = [
        name
        for name in {*rollback.removed(), *rollback.changed(), *rollback.kept()} - new
        if not any(covers(path, name) for path in files)
    ]
    assert not gone, f"{PLAN.name} names what is not there (any more): {', '.join(gone)}"


def test_nothing_is_named_twice() -> None:
    removed, changed, kept = rollback.removed(), rollback.changed(), rollback.kept()
    for path in tracked_files():
        verdicts = [
            any(covers(path, name) for name in removed),
            path in changed,
            path in kept,
        ]
        assert sum(verdicts) <= 1, path


def test_every_migration_is_named() -> None:
    named = {row[0] for row in rows(section(PLAN.read_text(), "2. The database"))}
    versions = (REPOSITORY / "server/app/migrations/versions").glob("*.py")
    assert named - {"revision", "---"} == {path.name.partition("_")[0] for path in versions}


def test_what_is_left_is_what_it_says(done: RolledBack) -> None:
    removed, changed, kept = rollback.removed(), rollback.changed(), rollback.kept()
    for path in tracked_files():
        if path in changed:
            assert done.after[path] != done.before[path], f"{path} is as it was"
        elif any(covers(path, name) for name in removed):
            assert path not in done.after
        elif any(covers(path, name) for name in kept):
            assert done.after[path] == done.before[path]
    assert not [path for path in done.after if "phase16" in path]


def test_the_table_goes_and_its_rows_are_saved(done: RolledBack) -> None:
    assert done.in_database(COUNT.format("tables", "table_name", "jobs")) == [(0,)]
    assert done.in_database(COUNT.format("types", "type_name", "job_status")) == [(0,)]
    saved = done.after["data/jobs_before_rollback.csv"].decode()
    assert '"a reason, with a ""quotation"""' in saved


def test_videos_stay(done: RolledBack) -> None:
    assert done.after["data/video_jobs/video.mp4"] == b"a video"


def test_it_ends_with_a_commit_of_everything(done: RolledBack) -> None:
    assert done.clone.run("git status --porcelain") == ""
    assert done.clone.run("git log --format=%s") == "Roll back phase 16\nAs it is\n"
    assert done.clone.run("git branch --show-current") == f"{BRANCH}\n"


def test_a_second_run_changes_nothing(done: RolledBack) -> None:
    before = done.clone.run("git rev-parse HEAD")
    done.run()
    assert done.clone.files() == done.after
    assert done.clone.run("git rev-parse HEAD") == before


def test_work_after_it_is_left_alone(done: RolledBack) -> None:
    """Changes that are not committed stay as they are, and so does what was committed since."""
    application = done.clone.root / "server/app/main.py"
    new = done.clone.root / "server/app/models/new.py"
    application.write_text(f"{application.read_text()}\nANSWER = 42\n")
    new.parent.mkdir()
    new.write_text('"""Work."""\n')
    worked_on = done.clone.files()
    with pytest.raises(AssertionError, match="Commit or stash"):
        done.run()
    assert done.clone.files() == worked_on

    done.clone.run("git add --all && git commit --quiet --message 'Go on'")
    done.run()
    assert done.clone.files() == worked_on
    assert done.clone.run("git log -1 --format=%s") == "Go on\n"
    done.clone.run("git reset --quiet --hard HEAD^")


@pytest.mark.parametrize("blocks", [2, 8, len(BLOCKS) - 1])
def test_a_run_that_broke_off_can_be_started_again(
    done: RolledBack, clone: Clone, blocks: int
) -> None:
    """With nothing lost of what a person did in between."""
    clone.run(".venv/bin/alembic upgrade head")
    with pytest.raises(AssertionError):
        clone.run("".join([*BLOCKS[:blocks], "kill -KILL $$"]))
    (clone.root / "server/app/mine.py").write_text('"""Work."""\n')
    clone.run(rollback.script())
    assert clone.run("git rev-parse HEAD^{tree}") == done.tree
    assert clone.run("git log --format=%s") == "Roll back phase 16\nAs it is\n"
    assert clone.run("git show stash@{0}^3:server/app/mine.py") == '"""Work."""\n'


def test_nothing_that_stays_needs_a_package_that_went(done: RolledBack, tmp_path: Path) -> None:
    """Every module of the application imports while those packages cannot be imported."""
    gone = rollback.packages_that_went(done.before, done.after)
    assert {"duckdb", "duckdb-engine", "sqlalchemy", "alembic"} <= gone
    modules = [
        path.removeprefix("server/").removesuffix(".py").replace("/", ".")
        for path in done.after
        if path.startswith("server/app/") and path.endswith(".py")
    ]
    rollback.block_imports(tmp_path, gone)
    done.clone.run(
        f'.venv/bin/python -c "import {", ".join(modules)}"',
        {"PYTHONPATH": f"{tmp_path}:{done.clone.root}/server"},
    )


def test_the_configuration_that_stays_is_the_one_there_is(done: RolledBack) -> None:
    """What the plan writes is a part of what the repository has, dependencies and rules alike."""
    before, after = (
        tomllib.loads(files["pyproject.toml"].decode()) for files in (done.before, done.after)
    )
    assert {*after["project"]["dependencies"]} <= {*before["project"]["dependencies"]}
    assert after["project"]["version"] == before["project"]["version"]
    assert after["project"]["entry-points"] == before["project"]["entry-points"]
    assert after["tool"]["ruff"]["lint"] == before["tool"]["ruff"]["lint"]
    for tool in ("ruff", "mypy", "pytest"):
        assert is_part(after["tool"][tool], before["tool"][tool])
    written, found = (
        files["requirements-dev.txt"].splitlines() for files in (done.after, done.before)
    )
    assert {*written} - {b"-e ."} <= {*found}


def is_part(part: object, whole: object) -> bool:
    """Whether all that is configured in `part` is so in `whole`, which may have more."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(part[key], whole[key]) for key in part)
    if isinstance(part, list) and isinstance(whole, list):
        return all(any(is_part(item, other) for other in whole) for item in part)
    return part == whole


@pytest.fixture
def application(done: RolledBack, tmp_path: Path) -> Iterator[LocalServer]:
    environment = {"PYTHONPATH": str(done.clone.root / "server")}
    data, bare = tmp_path / "data", ["--http", "auto"]
    with LocalServer(data, options=bare, env=environment, cwd=done.clone.root) as server:
        yield server


def test_the_application_still_starts(application: LocalServer) -> None:
    answer = httpx2.get(f"{application.base_url}/openapi.json", trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["paths"] == {}


def test_links_that_stay_resolve(done: RolledBack) -> None:
    for path in ("README.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", done.after[path].decode()):
            assert (done.clone.root / path).parent.joinpath(target).exists(), f"{path}: {target}"
    form = yaml.safe_load(done.after[".github/ISSUE_TEMPLATE/feature.yml"])
    assert [item["id"] for item in form["body"]] == ["need", "proposal"]


def test_videos_go_when_it_is_told_so(done: RolledBack) -> None:
    """Also afterwards, by running it again."""
    elsewhere = done.clone.root / "data/elsewhere/video_jobs"
    elsewhere.mkdir(parents=True)
    done.run(REMOVE_VIDEOS="yes", FORGESYTE_DATA_DIR="data/elsewhere")
    assert not elsewhere.exists()
    assert (done.clone.root / "data/video_jobs/video.mp4").exists()


def test_work_that_is_not_committed_is_not_lost(clone: Clone, tmp_path: Path) -> None:
    (clone.root / "server/app/workers/mine.py").write_text('"""Work."""\n')
    before = clone.files()
    rollback.extract_as_told(clone, tmp_path / "rollback.sh")
    with pytest.raises(AssertionError, match="Commit or stash"):
        clone.run(f"bash {tmp_path}/rollback.sh")
    assert clone.files() == before


def test_nothing_goes_while_a_server_holds_the_database(clone: Clone, tmp_path: Path) -> None:
    rollback.extract_as_told(clone, tmp_path / "rollback.sh")
    before = clone.files()
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); input()",
            clone.root / "data/foregsyte.duckdb",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(AssertionError, match="Conflicting lock"):
            clone.run(f"bash {tmp_path}/rollback.sh")
        holder.communicate(b"\n")
    assert {*clone.files()} - {*before} == {"data/foregsyte.duckdb"}


def test_it_can_be_taken_back(done: RolledBack) -> None:
    """The last test of the module: it leaves the clone as it was before."""
    for command in rollback.undoing():
        done.clone.run(command)
        done.clone.run("touch .venv/.ready")  # what is linked there has every package
    done.assert_taken_back()
