"""Pipelines that installed packages offer, by name."""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from logging import getLogger
from typing import Any, TypeAlias

from app.core.errors import PipelineError, UnknownPipeline
from app.services.results import as_json

Pipeline: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Called once for each frame with a FramePayload; returns what goes into the results."""

ENTRY_POINT_GROUP = "forgesyte.pipelines"

logger = getLogger(__name__)


class PipelineRegistry:
    """The pipelines of the entry-point group `forgesyte.pipelines`.

    An entry point's name is the pipeline id, its value a factory without arguments that returns a
    Pipeline. Nothing is imported before the first frame that needs it; then the factory is called
    once, on the calling thread, and what it returned serves every later job. A factory that raises
    is called again at the next job.
    """

    def __init__(self, entries: Iterable[EntryPoint] | None = None) -> None:
        """Take the given entry points, or those of all installed packages."""
        self._entries: dict[str, EntryPoint] = {}
        self._pipelines: dict[str, Pipeline] = {}
        for entry in entry_points(group=ENTRY_POINT_GROUP) if entries is None else entries:
            self._add(entry)

    def _add(self, entry: EntryPoint) -> None:
        first = self._entries.setdefault(entry.name, entry)
        if first.value != entry.value:
            logger.warning(
                "two packages offer the pipeline %r: %s is used, %s is not",
                entry.name,
                first.value,
                entry.value,
            )

    def ids(self) -> list[str]:
        return sorted(self._entries)

    def require(self, pipeline_id: str) -> None:
        """Raise UnknownPipeline, naming the known ones, unless there is such a pipeline."""
        if pipeline_id not in self._entries:
            known = ", ".join(self.ids()) or "none"
            raise UnknownPipeline(f"There is no pipeline {pipeline_id!r:.100}; installed: {known}.")

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run one frame and return the answer as plain JSON values, see `results.as_json`.

        Raises PipelineError when the pipeline cannot be built or answers something else than a
        dict, ResultError when the answer cannot be JSON, and whatever the pipeline raises.
        """
        answer = self._pipeline(pipeline_id)(payload)
        frame_index = payload["frame_index"]
        if not isinstance(answer, dict):
            raise PipelineError(
                f"The pipeline {pipeline_id!r} answered frame {frame_index} with "
                f"{type(answer).__name__} instead of dict."
            )
        return as_json(answer, frame_index)

    def _pipeline(self, pipeline_id: str) -> Pipeline:
        if pipeline_id not in self._pipelines:
            self._pipelines[pipeline_id] = self._build(pipeline_id)
        return self._pipelines[pipeline_id]

    def _build(self, pipeline_id: str) -> Pipeline:
        self.require(pipeline_id)
        try:
            pipeline: Pipeline = self._entries[pipeline_id].load()()
        except Exception as error:
            raise PipelineError(
                f"The pipeline {pipeline_id!r} cannot be built: {type(error).__name__}: {error}"
            ) from error
        if not callable(pipeline):
            raise PipelineError(
                f"The pipeline {pipeline_id!r} cannot be built: its factory returned "
                f"{type(pipeline).__name__}, which cannot be called."
            )
        return pipeline
