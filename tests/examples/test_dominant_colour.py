"""The example of a pipeline of one's own: installed by pip beside the server, and found by it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.clips import encode_clip
from tests.support.client import results, submit, wait_for
from tests.support.server import ServerProcess

EXAMPLE = Path(__file__).parent / "dominant_colour"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, folder, EXAMPLE], check=True)
    return folder


def test_the_example_installs_and_runs(installed: Path, tmp_path: Path) -> None:
    mostly_blue = np.full((64, 64, 3), (220, 40, 40), np.uint8)
    mostly_blue[:16] = 255
    video = encode_clip(tmp_path / "blue.mp4", [mostly_blue])

    with ServerProcess(tmp_path / "data", plugins=[installed]) as server:
        job_id = submit(server.base_url, video, "dominant_colour")
        assert wait_for(server.base_url, job_id, 60)["status"] == "completed"
        (frame,) = results(server.base_url, job_id)["results"]

    assert frame["result"] == {"bgr": [224, 32, 32], "share": pytest.approx(0.75, abs=0.05)}
