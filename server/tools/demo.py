"""Submit a video to a server of its own, and print what the pipeline found in it."""

import argparse
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.local_server import LocalServer, ProcessFailed
from tools.sample_video import draw_card, write_mp4

_CARDS = ["A VIDEO GOES IN", "EVERY FRAME IS READ", "ITS TEXT COMES OUT"]
_FRAMES_PER_CARD = 4


class DemoFailed(Exception):
    """Its message says what went wrong, for the person at the terminal."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="forgesyte-demo-") as folder:
            _demo(Path(folder), options.video, options.pipeline)
    except DemoFailed as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except (ProcessFailed, TimeoutError, OSError) as error:
        print("The demo failed:", error, *getattr(error, "__notes__", []), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, help="an MP4 file (default: one made on the spot)")
    parser.add_argument("--pipeline", default="ocr", help="a pipeline_id (default: %(default)s)")
    return parser.parse_args(arguments)


def _demo(folder: Path, video: Path | None, pipeline_id: str) -> None:
    """Run the command that anybody would, on the video or on one made here."""
    if video and not video.is_file():
        raise DemoFailed(f"there is no file {video}")
    video = video or _make_video(folder / "demo.mp4")
    server = LocalServer(folder / "data")
    print(f"Starting a server at {server.base_url}")
    with server:
        command = ["submit", str(video), "--pipeline", pipeline_id, "--wait"]
        print(f"$ forgesyte {shlex.join(command)}", flush=True)
        ended = subprocess.run(
            [sys.executable, "-m", "app", *command, "--url", server.base_url],
            check=False,
        )
        server.stop()
    if ended.returncode:
        raise DemoFailed(f"the command ended with exit code {ended.returncode}")


def _make_video(path: Path) -> Path:
    count = len(_CARDS) * _FRAMES_PER_CARD
    texts = [_CARDS[index // _FRAMES_PER_CARD] for index in range(count)]
    write_mp4(
        path,
        (draw_card(text, text, progress=index / count) for index, text in enumerate(texts, 1)),
    )
    return path


if __name__ == "__main__":
    sys.exit(main())
