"""Take a video through submit, status and results on the real server; fail on any surprise."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Generic, Literal, TypeVar
from uuid import UUID, uuid4

import httpx2
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tools.local_server import LocalServer, ProcessFailed

VIDEO = Path(__file__).parents[2] / "tests" / "fixtures" / "tiny.mp4"
TEXT, CODE, FRAME_COUNT = "FORGESYTE 2048", "forgesyte:2048", 10
_PROGRESS = {"pending": 0, "running": 0.5, "completed": 1.0, "failed": 1.0}
_ANSWER_SECONDS, _JOB_SECONDS = 30.0, 120.0


class SmokeTestFailed(Exception):
    """Its message says what was expected, and what came."""


class _Body(BaseModel):
    """A body that holds these keys and no others, of these types exactly."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Submitted(_Body):
    job_id: UUID


class _Status(_Body):
    job_id: UUID
    status: Literal["pending", "running", "completed", "failed"]
    progress: float
    created_at: AwareDatetime
    updated_at: AwareDatetime


class _Box(_Body):
    x: int
    y: int
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class _Point(_Body):
    x: int
    y: int


class _Block(_Body):
    text: str
    confidence: float = Field(ge=0, le=1)
    bbox: _Box
    points: list[_Point] = Field(min_length=4, max_length=4)


class _Ocr(_Body):
    text: str
    blocks: list[_Block]


class _Barcode(_Body):
    format: str
    text: str
    points: list[_Point] = Field(min_length=4, max_length=4)


class _Barcodes(_Body):
    barcodes: list[_Barcode]


Result = TypeVar("Result", _Ocr, _Barcodes)


class _Frame(_Body, Generic[Result]):
    frame_index: int
    result: Result


class _Results(_Body, Generic[Result]):
    job_id: UUID
    results: list[_Frame[Result]]


class _Refusal(_Body):
    detail: str = Field(min_length=1)


def main() -> int:
    try:
        with (
            tempfile.TemporaryDirectory(prefix="forgesyte-smoke-") as folder,
            LocalServer(Path(folder, "data")) as server,
            _client(server.base_url) as client,
        ):
            check(client)
            server.stop()
    except (SmokeTestFailed, ProcessFailed, TimeoutError, OSError, httpx2.HTTPError) as error:
        print("The smoke test failed:", error, *getattr(error, "__notes__", []), file=sys.stderr)
        return 1
    print("The smoke test passed: submit, status and results, with ocr and barcodes.")
    return 0


def _client(base_url: str) -> httpx2.Client:
    return httpx2.Client(base_url=base_url, timeout=_ANSWER_SECONDS, trust_env=False)


def check(client: httpx2.Client) -> None:
    """Make every request of the smoke test; SmokeTestFailed at the first unexpected answer."""
    _check_refusals(client)
    _check_text(_run(client, "ocr", _Results[_Ocr]))
    _check_codes(_run(client, "barcodes", _Results[_Barcodes]))


def _check_refusals(client: httpx2.Client) -> None:
    unknown = uuid4()
    _read(client.get(f"/video/status/{unknown}"), 404, _Refusal)
    _read(client.get(f"/video/results/{unknown}"), 404, _Refusal)
    _read(_submit(client, b"This is not a video.", "ocr"), 400, _Refusal)
    _read(_submit(client, VIDEO.read_bytes(), "no-such-pipeline"), 422, _Refusal)


def _check_text(answer: _Results[_Ocr]) -> None:
    for frame in answer.results:
        _expect(f"the text of frame {frame.frame_index}", frame.result.text, TEXT)
        blocks = [block.text for block in frame.result.blocks]
        _expect(f"the blocks of frame {frame.frame_index}", blocks, [TEXT])


def _check_codes(answer: _Results[_Barcodes]) -> None:
    for frame in answer.results:
        codes = [(code.format, code.text) for code in frame.result.barcodes]
        _expect(f"the codes of frame {frame.frame_index}", codes, [("QRCode", CODE)])


def _run(
    client: httpx2.Client, pipeline_id: str, results: type[_Results[Result]]
) -> _Results[Result]:
    """Submit the video, wait until the job is completed, and return all of its results."""
    job_id = _read(_submit(client, VIDEO.read_bytes(), pipeline_id), 200, _Submitted).job_id
    _wait(client, job_id)
    answer = _read(client.get(f"/video/results/{job_id}"), 200, results)
    _expect("the job of the results", answer.job_id, job_id)
    indices = [frame.frame_index for frame in answer.results]
    _expect("the frames", indices, list(range(FRAME_COUNT)))
    return answer


def _submit(client: httpx2.Client, content: bytes, pipeline_id: str) -> httpx2.Response:
    return client.post(
        "/video/submit",
        files={"file": ("tiny.mp4", content, "video/mp4")},
        data={"pipeline_id": pipeline_id},
    )


def _wait(client: httpx2.Client, job_id: UUID) -> None:
    deadline = time.monotonic() + _JOB_SECONDS
    while True:
        job = _read(client.get(f"/video/status/{job_id}"), 200, _Status)
        _expect("the job of the status", job.job_id, job_id)
        _expect(f"the progress of a job that is {job.status}", job.progress, _PROGRESS[job.status])
        if job.progress == 1.0:
            return _expect("the status", job.status, "completed")
        if time.monotonic() > deadline:
            raise SmokeTestFailed(f"The job is still {job.status} after {_JOB_SECONDS:g} s.")
        time.sleep(0.05)


Model = TypeVar("Model", bound=BaseModel)


def _read(response: httpx2.Response, status_code: int, body: type[Model]) -> Model:
    request = f"{response.request.method} {response.request.url.path}"
    _expect(f"the status code of {request}", response.status_code, status_code)
    try:
        return body.model_validate_json(response.content)
    except ValidationError as error:
        raise SmokeTestFailed(f"{request} answered {response.text[:500]}: {error}") from None


def _expect(what: str, value: object, expected: object) -> None:
    if value != expected:
        raise SmokeTestFailed(f"{what} is {value!r}, expected {expected!r}")


if __name__ == "__main__":
    sys.exit(main())
