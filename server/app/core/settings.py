"""Everything that can be configured, read from `FORGESYTE_*` environment variables."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.errors import StartupError
from app.core.limits import DEFAULT_MAX_FRAME_PIXELS, DEFAULT_MAX_VIDEO_FRAMES
from app.core.paths import in_home

DEFAULT_DATA_DIR = Path("data")
DATABASE_NAME = "foregsyte.duckdb"
ENV_PREFIX = "FORGESYTE_"
DUCKDB = "duckdb:///"

GIB = 1024**3
ORIGIN = re.compile(r"\*|https?://[^/\s]+")


def check_origin(text: str) -> str:
    """An origin as browsers write it (RFC 6454, section 6.2), or `*`."""
    if not ORIGIN.fullmatch(text):
        raise PydanticCustomError("origin", "Input should be like https://example.com, or *")
    return text.lower()


class Settings(BaseSettings):
    """Relative paths count from the working directory, those with a leading `~/` from the home
    folder, and are resolved once, here.

    Raises:
        pydantic.ValidationError: a value is missing its bounds; `Settings.load` says it in a line.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    data_dir: Path = Field(
        default=DEFAULT_DATA_DIR,
        description="Folder of the database and the videos; made when missing.",
    )
    database_url: str = Field(
        default="",
        pattern=r"^(duckdb:///.+)?$",
        description="SQLAlchemy URL of the DuckDB file; foregsyte.duckdb in the data folder. As in "
        "every URL, `%` begins an escape: `%25` and `%3F` are a percent sign and a question mark.",
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. There is no authentication: think before opening it.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 picks one.")
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(check_origin)], ...], NoDecode] = (
        Field(
            default=(),
            description="Origins of the websites whose pages may use the server, with commas "
            "between them; * for all.",
        )
    )
    max_upload_bytes: int = Field(
        default=4 * GIB,
        ge=1,
        le=1024 * GIB,
        description="Largest video accepted, in bytes of the file itself.",
    )
    upload_idle_seconds: float = Field(
        default=60,
        gt=0,
        le=3600,
        description="An upload that sends nothing for this long is given up.",
    )
    shutdown_grace_seconds: float = Field(
        default=5,
        ge=0,
        le=3600,
        description="How long a stop waits for the running job before it interrupts it.",
    )
    max_frame_pixels: int = Field(
        default=DEFAULT_MAX_FRAME_PIXELS,
        ge=1,
        le=2**31 - 1,
        description="Largest frame decoded, width × height.",
    )
    max_frames: int = Field(
        default=DEFAULT_MAX_VIDEO_FRAMES,
        ge=1,
        le=2**31 - 1,
        description="Most frames decoded of one video.",
    )

    log_level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        default="info", description="The least severe log lines that are written."
    )

    @classmethod
    def load(cls) -> Self:
        """The settings of this process's environment.

        Raises:
            StartupError: one line that names the variable and what it must be.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"{ENV_PREFIX}{first['loc'][0]}".upper() if first["loc"] else "The configuration"
            what = first["msg"].removeprefix("Value error, ")
            raise StartupError(f"{name}: {what} (found {str(first['input'])[:100]!r})") from error

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _resolve_paths(cls, values: dict[str, object]) -> dict[str, object]:
        given = values.get("data_dir", DEFAULT_DATA_DIR)
        data_dir = (given if isinstance(given, Path) else in_home(str(given))).resolve()
        url = values.get("database_url") or database_url(data_dir / DATABASE_NAME)
        return {**values, "data_dir": data_dir, "database_url": url}

    @field_validator("database_url", mode="before")
    @classmethod
    def _resolve_database_url(cls, url: str) -> str:
        return resolve_database_url(url)

    @property
    def video_dir(self) -> Path:
        """Root of the object storage."""
        return self.data_dir / "video_jobs"


def database_url(path: Path) -> str:
    """The URL of the DuckDB file at `path`, whose name may hold any character."""
    return DUCKDB + quote(os.fsencode(path))


def database_path(url: str) -> str:
    """The file that a URL of ours names, or `:memory:`."""
    return unquote(url.removeprefix(DUCKDB), errors="surrogateescape")


def resolve_database_url(url: str, base: Path | None = None) -> str:
    """`url` with its file path absolute and free of links, counted from `base` (default: the
    working directory). In-memory and foreign URLs come back as they are.

    One spelling for one file matters: DuckDB locks paths, not files.

    Raises:
        ValueError: the path holds a character that should have been escaped.
    """
    path = url.removeprefix(DUCKDB)
    if path in (url, "") or path.startswith(":memory:"):
        return url
    if "?" in path:
        raise ValueError("a question mark in the path is written %3F, and options there are none")
    base = base or Path.cwd()
    meant, as_it_stands = base / in_home(database_path(url)), base / in_home(path)
    if as_it_stands.parent.exists() and not meant.parent.exists():
        raise ValueError(f"it stands for {meant}; a percent sign in the path is written %25")
    return database_url(meant.resolve())
