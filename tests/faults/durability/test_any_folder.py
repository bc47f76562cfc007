"""The data folder may have any name: everything lies in it, or one line says why it cannot be."""

import os
import string
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from tests.faults.durability.craft import Craft
from tests.faults.durability.rows import DATABASE, VIDEOS, check_files, read_rows, wait_until_idle
from tests.faults.durability.test_start import refusal
from tests.support.client import submit
from tests.support.pipelines import READY
from tests.support.server import ServerProcess

REPOSITORY = Path(__file__).parents[3]
PRINTABLE = "".join(sorted({*string.printable} - {*"/?\\", *string.whitespace}))
GOOD = [
    PRINTABLE,
    "feature%2Flogin",
    "a%20b",
    "%",
    "100%25",
    " a  b ",
    "line\nbreak\tand tab\r",
    "c:d",
    ":memory:",
    "a~b",
    "é日本",
    "x" * 200,
]
BAD = ["what?now", "q?a=b", "a\\b", os.fsdecode(b"\xff")]


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with nothing else in it; what a server prints goes elsewhere."""
    place = tmp_path / "place"
    place.mkdir()
    return place


def server_in(folder: Path, tmp_path: Path, **env: str) -> ServerProcess:
    """On the data folder `folder`."""
    env = {"FORGESYTE_DATA_DIR": str(folder)} | env
    return ServerProcess(tmp_path / "server", plugins=[READY], env=env, cwd=folder.parent)


@pytest.mark.parametrize("name", GOOD, ids=ascii)
def test_everything_lies_in_the_folder(name: str, tmp_path: Path, place: Path, clip: bytes) -> None:
    folder = place / name
    with server_in(folder, tmp_path, FORGESYTE_DATA_DIR=f"./{name}") as server:
        job_id = submit(server.base_url, clip, "nothing")
        rows = wait_until_idle(folder)
        assert rows[job_id].status == "completed"
        check_files(folder, rows)
        link = tmp_path / "link"
        link.symlink_to(folder)
        for same in (folder, link):
            assert "is in use by" in refusal(server_in(same, tmp_path))
    assert entries(place) == {name}
    assert entries(folder) >= {DATABASE, VIDEOS}


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_what_duckdb_cannot_open_is_refused_and_nothing_lies_elsewhere(
    name: str, tmp_path: Path, place: Path
) -> None:
    assert "FORGESYTE_DATABASE_URL" in refusal(server_in(place / name, tmp_path))
    assert entries(place) <= {name}
    assert not [path for path in place.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", [PRINTABLE, "feature%2Flogin", "a%20b", "line\nbreak"], ids=ascii)
def test_alembic_means_the_same_database(name: str, place: Path) -> None:
    """As a data folder, as an escaped URL, and as the folder of alembic.ini."""
    ini = (REPOSITORY / "alembic.ini").read_text().replace("%(here)s/", f"{REPOSITORY}/")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("FORGESYTE_")}
    by_url = place / f"{name} by URL"
    url = f"duckdb:///{quote(str(by_url / DATABASE))}"
    settings = [{"FORGESYTE_DATA_DIR": str(place / name)}, {"FORGESYTE_DATABASE_URL": url}, {}]
    with_ini = place / f"{name} of the file"
    with_ini.mkdir()
    (with_ini / "alembic.ini").write_text(ini)
    for env in settings:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "alembic",
                "-c",
                str(with_ini / "alembic.ini"),
                "upgrade",
                "head",
            ],
            env=clean | env,
            check=True,
            capture_output=True,
            timeout=120,
        )
    for folder in (place / name, by_url, with_ini / "data"):
        assert read_rows(folder) == {}
    assert entries(place) == {name, by_url.name, with_ini.name}


@pytest.mark.parametrize("path", ["what?now/jobs.duckdb", "a%20b/jobs.duckdb"])
def test_url_that_should_have_been_escaped_is_refused(
    path: str, tmp_path: Path, place: Path
) -> None:
    (place / path).parent.mkdir()
    url = f"duckdb:///{place / path}"
    line = refusal(server_in(place / "data", tmp_path, FORGESYTE_DATABASE_URL=url))
    assert "FORGESYTE_DATABASE_URL" in line
    assert "written %" in line
    assert entries(place) == {Path(path).parent.name}


@pytest.mark.parametrize("name", ["a%20b", "what?now"])
def test_database_that_version_0_1_0_put_elsewhere_is_found(
    name: str, tmp_path: Path, place: Path, clip: bytes
) -> None:
    folder = place / name
    job_id = Craft(tmp_path / "crafted").job(clip)
    (tmp_path / "crafted" / VIDEOS).rename(place / "videos")
    spliced = make_url(f"duckdb:///{folder / DATABASE}").database
    assert spliced is not None
    Path(spliced).parent.mkdir(exist_ok=True)
    (tmp_path / "crafted" / DATABASE).rename(spliced)
    folder.mkdir()
    (place / "videos").rename(folder / VIDEOS)

    line = refusal(server_in(folder, tmp_path))
    assert f" {spliced}," in line
    setting = next(word for word in line.split() if word.startswith("FORGESYTE_DATABASE_URL="))
    assert not (folder / DATABASE).exists()
    with server_in(folder, tmp_path, FORGESYTE_DATABASE_URL=setting.partition("=")[2]) as server:
        assert server.base_url
        wait = wait_until_idle if name == "a%20b" else None
        if wait:
            assert wait(Path(spliced).parent)[job_id].status == "completed"
