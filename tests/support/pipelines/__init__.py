"""Further pipelines for a server process, found as those of an installed package are.

A folder on PYTHONPATH that holds modules and a `*.dist-info` is all that importlib.metadata
needs; nothing is installed. `READY` is such a folder, `write_pipeline_package` makes one.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

READY = Path(__file__).parent / "ready"

_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"


def write_pipeline_package(folder: Path, sources: Mapping[str, str]) -> Path:
    """Make a package of pipelines in `folder`, and return the folder.

    `sources` maps a pipeline_id, which has to be an identifier, to the source of a module that
    defines `factory`: called without arguments, it returns the pipeline.
    """
    # Of two packages with one name on the path, only the first would be found.
    name = f"pipelines_{secrets.token_hex(4)}"
    information = folder / f"{name}-1.dist-info"
    information.mkdir(parents=True)
    entry_points = [f"{pipeline_id} = {name}_{pipeline_id}:factory" for pipeline_id in sources]
    (information / "METADATA").write_text(_METADATA.format(name=name))
    (information / "entry_points.txt").write_text(
        "\n".join(["[forgesyte.pipelines]", *entry_points, ""])
    )
    for pipeline_id, source in sources.items():
        (folder / f"{name}_{pipeline_id}.py").write_text(source)
    return folder


@dataclass(frozen=True)
class FrameEvent:
    """One line that the `sleep` pipeline wrote: a frame began or ended, in seconds since 1970."""

    event: Literal["began", "ended"]
    frame_index: int
    pid: int
    time: float


def read_events(log: Path) -> list[FrameEvent]:
    """What the `sleep` pipeline wrote to `log` so far, in order; nothing if there is no file."""
    if not log.exists():
        return []
    # The last line may be only half written.
    lines = log.read_text().split("\n")[:-1]
    return [FrameEvent(**json.loads(line)) for line in lines]
