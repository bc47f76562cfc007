"""Thousands of damaged videos: each gives results or a ValueError, none a crash or a hang."""

import faulthandler
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.clips import encode_clip, numbered_frames
from tests.faults.video.mutants import mutant, run
from tests.support.footage import clip

MUTANTS = 5000
BATCH = 250
HANG_SECONDS = 60

MADE = {
    "fragments.mp4": ("libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "hevc.mp4": ("libx265", {}),
    "av1.mp4": ("libsvtav1", {}),
    "vp9.mp4": ("libvpx-vp9", {}),
    "mpeg4.mp4": ("mpeg4", {}),
}


def run_batch(original: Path, numbers: range, folder: Path) -> Counter[str]:
    """How the mutants of these numbers ended. A hang ends the process, saying where it was."""
    data = original.read_bytes()
    path = folder / f"{numbers.start}.mp4"
    outcomes: Counter[str] = Counter()
    for number in numbers:
        path.write_bytes(mutant(data, number))
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            outcomes[run(path)] += 1
        except BaseException as error:
            raise AssertionError(f"mutant {number} of {original.name} raised {error!r}") from error
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink()
    return outcomes


@pytest.mark.timeout(600)
def test_no_mutant_crashes_hangs_or_raises_something_unforeseen(tmp_path: Path) -> None:
    originals = [clip("carphone_distorted.mp4"), clip("carphone_pristine.mp4")] * 4
    for name, (codec, container_options) in MADE.items():
        originals.append(
            encode_clip(
                tmp_path / name,
                numbered_frames(24),
                codec=codec,
                codec_options={"g": "8"},
                container_options=container_options,
            )
        )
    batches = [range(first, first + BATCH) for first in range(0, MUTANTS, BATCH)]
    outcomes: Counter[str] = Counter()
    # A process that dies of a signal breaks the pool, which fails the test.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        futures = [
            processes.submit(run_batch, originals[n % len(originals)], batch, tmp_path)
            for n, batch in enumerate(batches)
        ]
        for future in futures:
            outcomes += future.result()
    print(dict(outcomes.most_common()))
    assert outcomes.total() == MUTANTS
    assert outcomes["list"] > 0, "some damage is harmless"
    assert outcomes["list"] < MUTANTS / 2
