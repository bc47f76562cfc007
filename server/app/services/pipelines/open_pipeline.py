"""A pipeline while it is used: made, called, closed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, version
from logging import getLogger
from threading import get_ident
from types import TracebackType
from typing import Any, Self, TypeAlias

from app.core.error_messages import describe
from app.core.errors import PipelineError
from app.services.results_document import as_json

Pipeline: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Called once for each frame with a FramePayload; returns what goes into the results."""

DISTRIBUTIONS = ("forgesyte-video-jobs", "av")
"""What every pipeline's pixels come through."""

logger = getLogger(__name__)


@dataclass(frozen=True)
class Offer:
    """What a package offers: an entry point, and how a pipeline is made of it."""

    entry: EntryPoint
    make: Callable[[], Pipeline]


class OpenPipeline:
    """The DagService of one pipeline for one run, to be closed after it.

    Instances are made on the thread that calls them, when it first does. Of a pipeline that is not
    pure there is one, and one thread may call; of a pure one there is one for each thread.

    Raises:
        PipelineError: the pipeline cannot be built, or answers something else than a dict.
    """

    def __init__(self, pipeline_id: str, offer: Offer) -> None:
        self._pipeline_id = pipeline_id
        self._offer = offer
        self._instances: dict[int, Pipeline] = {}
        self._pure: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def is_pure(self, pipeline_id: str) -> bool:
        """Whether the class says that an answer depends on the frame's pixels alone."""
        if self._pure is None:
            self._pure = getattr(self._load(), "pure", False) is True
        return self._pure

    def fingerprint(self) -> str | None:
        """What changes when answers may: names and versions; None unless it is pure."""
        if not self.is_pure(self._pipeline_id):
            return None
        entry, package = self._offer.entry, self._offer.entry.dist
        return json.dumps(
            {
                "pipeline": [self._pipeline_id, entry.group, entry.value],
                "package": package and [package.name, package.version],
                "version": str(getattr(self._load(), "version", None)),
                "pixels": [version(name) for name in DISTRIBUTIONS],
            }
        )

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run one frame and return the answer as plain JSON values, see `results_document.as_json`.

        Raises:
            ResultError: the answer cannot be JSON.
            Exception: whatever the pipeline raises.
        """
        return as_json(self.answer(payload), payload["frame_index"])

    def answer(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run one frame and return what the pipeline answers, as it is."""
        answer = self._instance()(payload)
        if not isinstance(answer, dict):
            raise PipelineError(
                f"The pipeline {self._pipeline_id!r} answered frame {payload['frame_index']} with "
                f"{type(answer).__name__} instead of dict."
            )
        return answer

    def close(self) -> None:
        """Close every instance that has a `close`. What that raises is logged: the answers are
        there. Call it when no thread runs a frame any more."""
        while self._instances:
            _, pipeline = self._instances.popitem()
            try:
                getattr(pipeline, "close", _nothing)()
            except (Exception, SystemExit):
                logger.warning("The pipeline %r did not close", self._pipeline_id, exc_info=True)

    def _instance(self) -> Pipeline:
        key = get_ident() if self.is_pure(self._pipeline_id) else 0
        if key not in self._instances:
            self._instances[key] = self._build()
        return self._instances[key]

    def _build(self) -> Pipeline:
        try:
            pipeline = self._offer.make()
        except (Exception, SystemExit) as error:
            raise self._cannot_be_built(describe(error)) from error
        if not callable(pipeline):
            raise self._cannot_be_built(
                f"its factory returned {type(pipeline).__name__}, which cannot be called."
            )
        return pipeline

    def _load(self) -> Any:
        try:
            return self._offer.entry.load()
        except (Exception, SystemExit) as error:
            raise self._cannot_be_built(describe(error)) from error

    def _cannot_be_built(self, reason: str) -> PipelineError:
        return PipelineError(f"The pipeline {self._pipeline_id!r} cannot be built: {reason}")


def _nothing() -> None:
    pass
