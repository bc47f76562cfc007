"""Thousands of damaged videos: each gives results or a ValueError, none a crash or a hang."""

import faulthandler
import multiprocessing
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.clips import encode_beside, encode_clip, index_first, numbered_frames, sound
from tests.faults.video.mutants import mutant, run, untidy
from tests.support.footage import FRAME_COUNTS, clip

MUTANTS = 5000
UNTIDY = 3000
FRAMES = 24
BATCH = 250
HANG_SECONDS = 60

MADE = {
    "fragments.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "hevc.mp4": ("libx265", {}),
    "av1.mp4": ("libsvtav1", {}),
    "vp9.mp4": ("libvpx-vp9", {}),
    "mpeg4.mp4": ("mpeg4", {}),
}


def run_batch(
    original: Path, change: Callable[[bytes, int], bytes], numbers: range, folder: Path
) -> Counter[str]:
    """How the mutants of these numbers ended. A hang ends the process, saying where it was."""
    data = original.read_bytes()
    whole = FRAME_COUNTS.get(original.name, FRAMES)
    path = folder / f"{original.stem}_{numbers.start}.mp4"
    outcomes: Counter[str] = Counter()
    for number in numbers:
        path.write_bytes(change(data, number))
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            outcomes[run(path, whole)] += 1
        except BaseException as error:
            raise AssertionError(f"mutant {number} of {original.name} raised {error!r}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink()
    return outcomes


def made(folder: Path) -> list[Path]:
    return [
        encode_clip(
            folder / name,
            numbered_frames(FRAMES),
            codec=codec,
            codec_options={"g": "8"},
            container_options=container_options,
        )
        for name, (codec, container_options) in MADE.items()
    ]


def outcomes_of(
    originals: Sequence[Path],
    change: Callable[[bytes, int], bytes],
    number: int,
    folder: Path,
) -> Counter[str]:
    batches = [range(first, first + BATCH) for first in range(0, number, BATCH)]
    outcomes: Counter[str] = Counter()
    # A process that dies of a signal breaks the pool, which fails the test.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        futures = [
            processes.submit(run_batch, originals[n % len(originals)], change, batch, folder)
            for n, batch in enumerate(batches)
        ]
        for future in futures:
            outcomes += future.result()
    print(dict(outcomes.most_common()))
    assert outcomes.total() == number
    return outcomes


@pytest.mark.timeout(600)
def test_no_mutant_crashes_hangs_or_raises_something_unforeseen(tmp_path: Path) -> None:
    real = [clip("carphone_distorted.mp4"), clip("carphone_pristine.mp4")] * 4

    outcomes = outcomes_of([*real, *made(tmp_path)], mutant, MUTANTS, tmp_path)

    assert outcomes["list"] > 0, "some damage is harmless"
    assert outcomes["list"] < MUTANTS / 2
    assert outcomes["fewer"] < MUTANTS / 200, "times that are changed can hide frames unseen"


@pytest.mark.timeout(300)
def test_no_part_passes_for_the_whole_because_it_is_untidy(tmp_path: Path) -> None:
    originals = made(tmp_path)
    first = encode_beside(tmp_path / "first.mp4", FRAMES, sound)
    first.write_bytes(index_first(first.read_bytes()))

    outcomes = outcomes_of([first, *originals], untidy, UNTIDY, tmp_path)

    assert outcomes["list"] > UNTIDY / 10, "untidy files that are whole are read"
    assert outcomes["fewer"] == 0
