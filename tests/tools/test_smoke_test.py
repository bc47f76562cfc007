"""The smoke test passes on the right answers alone: each case spoils one of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.fixtures import make_tiny_mp4
from tools import smoke_test
from tools.smoke_test import SmokeTestFailed

_TIME = "2001-02-03T04:05:06Z"
_RESULTS: dict[str, dict[str, Any]] = {
    "ocr": {
        "text": make_tiny_mp4.TEXT,
        "blocks": [
            {
                "text": make_tiny_mp4.TEXT,
                "confidence": 0.9,
                "bbox": {"x": 1, "y": 2, "width": 3, "height": 4},
                "points": [{"x": 1, "y": 2}] * 4,
            }
        ],
    },
    "barcodes": {
        "barcodes": [
            {
                "format": "QRCode",
                "text": make_tiny_mp4.CODE,
                "points": [{"x": 1, "y": 2}] * 4,
            }
        ]
    },
}

Spoil = Callable[[dict[str, Any]], object]


class RightAnswers:
    """Answers every request as the server has to, after `spoil` has changed those of one kind."""

    def __init__(self, kind: str = "", status_code: int = 200, spoil: Spoil = id) -> None:
        self._kind = kind
        self._status_code = status_code
        self._spoil = spoil
        self._jobs: dict[str, str] = {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        kind, status_code, body = self._answer(request)
        if kind == self._kind:
            status_code = self._status_code
            body = json.loads(json.dumps(body))
            self._spoil(body)
        return httpx2.Response(status_code, json=body)

    def _answer(self, request: httpx2.Request) -> tuple[str, int, dict[str, Any]]:
        kind, _, job_id = request.url.path.removeprefix("/video/").partition("/")
        if kind == "submit":
            return self._submit(request.read())
        if job_id not in self._jobs:
            return f"unknown {kind}", 404, {"detail": "There is no such job."}
        if kind == "status":
            return kind, 200, self._status(job_id)
        frame = _RESULTS[self._jobs[job_id]]
        indices = range(make_tiny_mp4.FRAME_COUNT)
        results = [{"frame_index": index, "result": frame} for index in indices]
        return self._jobs[job_id], 200, {"job_id": job_id, "results": results}

    def _submit(self, form: bytes) -> tuple[str, int, dict[str, Any]]:
        if b"ftyp" not in form:
            return "not a video", 400, {"detail": "This is not an MP4."}
        pipeline_id = next((name for name in _RESULTS if name.encode() in form), None)
        if pipeline_id is None:
            return "unknown pipeline", 422, {"detail": "There is no such pipeline."}
        job_id = str(UUID(int=len(self._jobs)))
        self._jobs[job_id] = pipeline_id
        return "submit", 200, {"job_id": job_id}

    def _status(self, job_id: str) -> dict[str, Any]:
        times = {"created_at": _TIME, "updated_at": _TIME}
        return {"job_id": job_id, "status": "completed", "progress": 1.0} | times


def run(answers: RightAnswers) -> None:
    transport = httpx2.MockTransport(answers)
    with httpx2.Client(transport=transport, base_url="http://server") as client:
        smoke_test.check(client)


def test_it_knows_the_video() -> None:
    assert smoke_test.VIDEO == make_tiny_mp4.TINY_MP4
    assert Path(smoke_test.VIDEO).exists()
    known = (smoke_test.TEXT, smoke_test.CODE, smoke_test.FRAME_COUNT)
    assert known == (make_tiny_mp4.TEXT, make_tiny_mp4.CODE, make_tiny_mp4.FRAME_COUNT)


def test_the_right_answers_pass() -> None:
    run(RightAnswers())


@pytest.mark.parametrize(
    ("kind", "status_code", "spoil"),
    [
        ("unknown status", 200, id),
        ("unknown results", 500, id),
        ("unknown results", 404, lambda body: body.update(detail="")),
        ("not a video", 200, id),
        ("unknown pipeline", 200, id),
        ("submit", 202, id),
        ("submit", 200, lambda body: body.update(status="pending")),
        ("submit", 200, lambda body: body.update(job_id="1")),
        ("status", 404, id),
        ("status", 200, lambda body: body.update(job_id=str(UUID(int=9)))),
        ("status", 200, lambda body: body.update(status="failed")),
        ("status", 200, lambda body: body.update(status="done")),
        ("status", 200, lambda body: body.update(progress=0.9)),
        ("status", 200, lambda body: body.update(created_at="2001-02-03T04:05:06")),
        ("status", 200, lambda body: body.pop("updated_at")),
        ("status", 200, lambda body: body.update(error_message=None)),
        ("ocr", 404, id),
        ("ocr", 200, lambda body: body.update(job_id=str(UUID(int=9)))),
        ("ocr", 200, lambda body: body.update(results=dict(body))),
        ("ocr", 200, lambda body: body.update(results=[])),
        ("ocr", 200, lambda body: body["results"].pop()),
        ("ocr", 200, lambda body: body["results"].reverse()),
        ("ocr", 200, lambda body: body["results"][3]["result"].update(text="FORGESYTE 2O48")),
        ("ocr", 200, lambda body: body["results"][3]["result"].update(blocks=[])),
        ("ocr", 200, lambda body: body["results"][3]["result"].update(image_bytes="")),
        ("ocr", 200, lambda body: body["results"][9].update(time=0.3)),
        ("barcodes", 200, lambda body: body["results"][3]["result"].update(barcodes=[])),
        ("barcodes", 200, lambda body: body["results"][3]["result"]["barcodes"][0]["points"].pop()),
        ("barcodes", 200, lambda body: body["results"][3]["result"]["barcodes"][0].update(text="")),
    ],
)
def test_any_other_answer_fails(kind: str, status_code: int, spoil: Spoil) -> None:
    with pytest.raises(SmokeTestFailed):
        run(RightAnswers(kind, status_code, spoil))
