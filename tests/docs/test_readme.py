"""What the README says of settings, statuses, errors and pipelines is what the code does."""

import re
from pathlib import Path

import pytest

from app.core.settings import ENV_PREFIX, Settings
from app.models.job import JobStatus
from app.services.pipelines.registry import PipelineRegistry

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()


def rows_under(heading: str) -> dict[str, str]:
    """First cell → rest of each table row between a heading and the next one."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `?([^`|]+?)`? \| (.*) \|$", section, re.MULTILINE)
    return {name: rest for name, rest in found if not set(name) <= {"-"}}


def test_every_setting_stands_there_with_its_default() -> None:
    rows = rows_under("Settings")
    del rows["variable"]
    assert set(rows) == {f"{ENV_PREFIX}{name}".upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if name != "database_url":
            default = f"{field.default:g}" if isinstance(field.default, float) else field.default
            told = "none" if default == () else f"`{default}`"
            assert rows[f"{ENV_PREFIX}{name}".upper()].startswith(told)


def test_every_status_stands_there() -> None:
    rows = rows_under("Three calls")
    del rows["status"]
    assert set(rows) == {status.value for status in JobStatus}


def test_every_built_in_pipeline_stands_there() -> None:
    rows = rows_under("Pipelines")
    del rows["id"]
    assert sorted(rows) == PipelineRegistry().ids()


@pytest.mark.parametrize("path", re.findall(r"^server/\S+|tests/fixtures/\S+\.mp4", README, re.M))
def test_every_path_exists(path: str) -> None:
    assert (REPOSITORY / path.rstrip(",")).exists()
