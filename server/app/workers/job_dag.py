"""How the frames of a job are answered: by its pipeline, into its answer file."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import orjson

from app.services.answer_file import AnswerFile
from app.services.results_document import encode
from app.services.video.payload import FramePayload


class JobInterrupted(BaseException):
    """The running job is to end between two frames. Not an Exception: no job fails by it."""


class JobPipeline(Protocol):
    """What a job needs of a pipeline: see `OpenPipeline`."""

    def is_pure(self, pipeline_id: str) -> bool: ...

    def fingerprint(self) -> str | None: ...

    def answer(self, payload: Mapping[str, Any]) -> dict[str, Any]: ...


class JobPipelines(Protocol):
    """What makes one for each job: see `PipelineRegistry`."""

    def open(self, pipeline_id: str) -> AbstractContextManager[JobPipeline]: ...


class JobDag:
    """The DagService of one job, which stops in front of the next frame once `interrupted` is set.

    An answer is written as JSON to the job's answer file. `run_pipeline` returns its place there,
    for `results` to read when the run is over. Of a pure pipeline, answers that are in the file
    are not asked for again, also those from an earlier start of the job.

    Raises, from `run_pipeline`:
        JobInterrupted: the event is set.
        ResultError: the answer cannot be JSON.
        Exception: whatever the pipeline raises.
    """

    def __init__(
        self, pipeline: JobPipeline, answers: AnswerFile, interrupted: threading.Event
    ) -> None:
        self._pipeline = pipeline
        self._answers = answers
        self._interrupted = interrupted
        self.is_pure = pipeline.is_pure

    def check_interrupted(self) -> None:
        if self._interrupted.is_set():
            raise JobInterrupted

    def run_pipeline(self, pipeline_id: str, payload: FramePayload) -> int:
        self.check_interrupted()
        if not self.is_pure(pipeline_id):
            return self._answers.append(self._answer(payload))
        known = self._answers.find(payload.digest)
        if known is not None:
            return known
        return self._answers.append(self._answer(payload), payload.digest)

    def results(self, elements: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The elements with their answers, one by one, for the results document."""
        for element in elements:
            answer = orjson.Fragment(self._answers.read(element["result"]))
            yield {**element, "result": answer}

    def _answer(self, payload: FramePayload) -> bytes:
        return encode(self._pipeline.answer(payload), payload["frame_index"])
