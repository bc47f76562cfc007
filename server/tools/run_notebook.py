"""Run the notebook against a server of its own, and keep its outputs in it."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from tools.local_server import LocalServer

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"
CELL_SECONDS = 120


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="forgesyte-notebook-") as folder,
        LocalServer(Path(folder, "data")) as server,
    ):
        nbformat.write(run(server.base_url), NOTEBOOK)
    print(f"{NOTEBOOK.name} holds the outputs of this run.")
    return 0


def run(url: str) -> NotebookNode:
    """The notebook as it is after all its cells have run.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    return client.execute(env=os.environ | {"FORGESYTE_URL": url})


if __name__ == "__main__":
    sys.exit(main())
