"""The demonstration prints what stands in its video, and says in a sentence why it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "server" / "tools" / "demo.py"


def run_demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the demonstration as `make demo` does, with `folder` for its temporary files."""
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments],
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("arguments", [[], ["--pipeline", "barcodes"]])
def test_it_prints_what_stands_in_its_video(arguments: list[str], tmp_path: Path) -> None:
    ended = run_demo(*arguments, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    rows = ["0-3", "A VIDEO GOES IN", "4-7", "EVERY FRAME IS READ", "8-11", "ITS TEXT COMES OUT"]
    for row in rows:
        assert row in ended.stdout
    assert "completed" in ended.stdout
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "pipeline_id", "reason"),
    [
        (None, "ocr", "there is no file"),
        (b"This is not a video.", "ocr", "MP4"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "ocr", "failed"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "no-such-pipeline", "no-such-pipeline"),
    ],
    ids=["missing file", "not an MP4", "nothing but a header", "unknown pipeline"],
)
def test_it_fails_with_a_sentence(
    content: bytes | None, pipeline_id: str, reason: str, tmp_path: Path
) -> None:
    video = tmp_path / "video.mp4"
    if content is not None:
        video.write_bytes(content)
    ended = run_demo("--video", str(video), "--pipeline", pipeline_id, folder=tmp_path)
    assert ended.returncode == 1
    assert "The demo failed: " in ended.stderr
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr
