"""Where the database lies: what DuckDB can open, and where an earlier version has put it."""

from pathlib import Path
from urllib.parse import unquote

from app.core.errors import StartupError
from app.core.settings import ENV_PREFIX, database_url


def refuse_bad_place(path: Path) -> None:
    """DuckDB takes a question mark for the beginning of options and a backslash for a slash, and
    would open, or log to, another file.

    Raises:
        StartupError: DuckDB cannot be told of `path`.
    """
    try:
        name = str(path).encode().decode()
    except UnicodeEncodeError:
        name = "?"
    if "?" in name or "\\" in name:
        raise StartupError(
            f"{path} cannot be opened: DuckDB knows no path with a question mark, a backslash or "
            f"bytes that are not UTF-8. {ENV_PREFIX}DATABASE_URL can name another place."
        )


def find_misplaced(path: Path) -> Path | None:
    """The file where version 0.1.0 put the database that belongs at `path`, if it is there and
    there is none at `path`: it took the path for a part of a URL, with escapes and options."""
    spliced = str(path).partition("?")[0]
    if path.exists():
        return None
    others = [Path(name) for name in (unquote(spliced), spliced) if name != str(path)]
    return next((other for other in others if other.is_file()), None)


def way_to(misplaced: Path, path: Path) -> str:
    """One line for a person whose database an earlier version has misplaced."""
    return (
        f"The database that belongs at {path} is at {misplaced}, where an earlier version put it; "
        f"{ENV_PREFIX}DATABASE_URL={database_url(misplaced)} uses it there."
    )
