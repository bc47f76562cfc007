"""Submit a video to a server of its own, and print what the pipeline found in it."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tools.local_server import LocalServer, ProcessFailed
from tools.sample_video import draw_card, write_mp4

_CARDS = ["A VIDEO GOES IN", "EVERY FRAME IS READ", "ITS TEXT COMES OUT"]
_FRAMES_PER_CARD = 4
_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 300.0


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
    except (ProcessFailed, TimeoutError, OSError, httpx2.HTTPError) as error:
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
    """Take the video, or one made here, through submit, status and results."""
    if video and not video.is_file():
        raise DemoFailed(f"there is no file {video}")
    console = Console(highlight=False, markup=False)
    video = video or _make_video(folder / "demo.mp4")
    server = LocalServer(folder / "data")
    console.print(f"Starting a server at {server.base_url}")
    with (
        server,
        httpx2.Client(base_url=server.base_url, timeout=_ANSWER_SECONDS, trust_env=False) as client,
    ):
        job_id = _submit(client, video, pipeline_id)
        console.print(f"Submitted {video.name} to {pipeline_id}: job {job_id}")
        _wait(client, job_id, console)
        console.print(_table(_answer(client.get(f"/video/results/{job_id}"))["results"]))
        server.stop()


def _client(base_url: str) -> httpx2.Client:
    return httpx2.Client(base_url=base_url, timeout=_ANSWER_SECONDS, trust_env=False)


def _make_video(path: Path) -> Path:
    count = len(_CARDS) * _FRAMES_PER_CARD
    texts = [_CARDS[index // _FRAMES_PER_CARD] for index in range(count)]
    write_mp4(
        path,
        (draw_card(text, text, progress=index / count) for index, text in enumerate(texts, 1)),
    )
    return path


def _submit(client: httpx2.Client, video: Path, pipeline_id: str) -> str:
    with video.open("rb") as file:
        response = client.post(
            "/video/submit", files={"file": file}, data={"pipeline_id": pipeline_id}
        )
    return str(_answer(response)["job_id"])


def _wait(client: httpx2.Client, job_id: str, console: Console) -> None:
    """Show the job's status until it has ended; that it failed is told by its results."""
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("submitted", total=1.0)
        while not progress.finished:
            job = _answer(client.get(f"/video/status/{job_id}"))
            progress.update(task, description=job["status"], completed=job["progress"])
            time.sleep(_POLL_SECONDS)


def _answer(response: httpx2.Response) -> dict[str, Any]:
    if response.status_code == httpx2.codes.OK:
        answer: dict[str, Any] = response.json()
        return answer
    try:
        raise DemoFailed(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        raise DemoFailed(f"the server answered {response.status_code}") from None


def _table(results: list[dict[str, Any]]) -> Table:
    table = Table("frames", "found")
    for frames, found in _runs(results):
        table.add_row(frames, Text(found))
    return table


def _runs(results: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Frames that follow each other with the same finding, told once: ("0-3", "some text")."""
    for found, frames in groupby(results, key=lambda frame: _describe(frame["result"])):
        indices = [frame["frame_index"] for frame in frames]
        first, last = indices[0], indices[-1]
        yield (f"{first}" if first == last else f"{first}-{last}"), found


def _describe(result: dict[str, Any]) -> str:
    match result:
        case {"text": str(text)}:
            return text or "no text"
        case {"barcodes": [*barcodes]}:
            return "\n".join(f"{code['format']}: {code['text']}" for code in barcodes) or "no code"
    return json.dumps(result, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
