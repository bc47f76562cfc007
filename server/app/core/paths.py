"""Paths as people write them in options and settings."""

from pathlib import Path


def in_home(text: str) -> Path:
    """The path, `~` or `~/` at its beginning the home folder: no shell looks at a setting. `./~` is
    a name like any other, and so is `~name`.

    Raises:
        ValueError: nobody knows where home is.
    """
    if text != "~" and not text.startswith("~/"):
        return Path(text)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text}: {error}") from error
