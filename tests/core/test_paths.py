"""Paths of options and settings: where a leading ~ leads, and where it is a name."""

from pathlib import Path

import pytest

from app.core.paths import in_home
from app.core.settings import Settings, resolve_database_url

HERE = Path.cwd()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_leading_tilde_is_home(home: Path) -> None:
    assert in_home("~") == home
    assert in_home("~/a/~/b") == home / "a/~/b"
    assert in_home("~//a") == home / "a"
    for name in ("~x", "~root", "./~", "./~/a", "a/~", "a~", "~~"):
        assert in_home(name) == Path(name)


def test_settings_may_begin_at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, data_dir in (("~/data", home / "data"), ("./~/data", HERE / "~/data")):
        monkeypatch.setenv("FORGESYTE_DATA_DIR", value)
        settings = Settings.load()
        assert settings.data_dir == data_dir
        assert settings.database_url == f"duckdb:///{data_dir}/foregsyte.duckdb"
    assert Settings(data_dir=Path("~")).data_dir == HERE / "~"
    assert resolve_database_url("duckdb:///~/a.duckdb") == f"duckdb:///{home}/a.duckdb"
    assert resolve_database_url("duckdb:///./~/a.duckdb") == f"duckdb:///{HERE}/~/a.duckdb"
