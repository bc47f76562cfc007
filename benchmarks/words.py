"""How many words are read exactly, by `ocr` and by the Tesseract of an earlier build beside it."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from benchmarks.recordings import SCRIPT, Cost, earlier_build
from benchmarks.report import Cell, Report, Table, Target
from tests.clips import encode_clip
from tests.services.pipelines.rendered import KINDS, Case, cases

PICTURES = 15
LEAST = {
    "clean slides": 0.95,
    "subtitles over film": 0.97,
    "warped signs": 0.96,
    "tilted 4 to 20 degrees": 0.94,
    "upright 9:16": 0.97,
    "12 px": 0.92,
}


class Reading(NamedTuple):
    """The share of words read exactly; milliseconds of the processors a frame."""

    share: float
    cpu: float


def measure(folder: Path) -> Report:
    rows: list[list[Cell]] = []
    targets = []
    with earlier_build(folder / "before") as tesseract:
        for kind in KINDS:
            drawn = [*cases(kind, PICTURES)]
            pictures = [case.picture for case in drawn]
            video = encode_clip(
                folder / "words.mp4", pictures, codec_options={"crf": "23", "keyint": "1"}
            )
            before, now = (read(python, video, drawn) for python in (tesseract, sys.executable))
            words = sum(len(case.words) for case in drawn)
            rows.append([kind, words, 100 * before.share, 100 * now.share, before.cpu, now.cpu])
            if kind in LEAST:
                title = f"words read exactly, {kind}"
                targets.append(Target(title, now.share, LEAST[kind], at_least=True))
    columns = ("", "words", "Tesseract %", "ocr %", "Tesseract CPU ms", "ocr CPU ms")
    return Report([Table("Words read exactly", columns, rows)], targets)


def read(python: str | Path, video: Path, drawn: list[Case]) -> Reading:
    answers = video.with_suffix(".json")
    done = subprocess.run(
        [python, SCRIPT, "ocr", video, answers],
        cwd=video.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    texts = [answer["result"]["text"] for answer in json.loads(answers.read_text())]
    pairs = [*zip(drawn, texts, strict=True)]
    exact = sum((Counter(case.words) & Counter(text.split())).total() for case, text in pairs)
    cost = Cost(**json.loads(done.stdout))
    return Reading(exact / sum(len(case.words) for case in drawn), cost.cpu)
