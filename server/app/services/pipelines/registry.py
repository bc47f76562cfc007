"""Pipelines that installed packages offer, by name."""

import os
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from logging import getLogger
from typing import Any, TypeAlias

from app.core.error_messages import describe
from app.core.errors import PipelineError, UnknownPipeline
from app.services.pipelines.plugins import load_tools
from app.services.results_document import as_json

Pipeline: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Called once for each frame with a FramePayload; returns what goes into the results."""

ENTRY_POINT_GROUP = "forgesyte.pipelines"
PLUGIN_GROUP = "forgesyte.plugins"

logger = getLogger(__name__)


class PipelineRegistry:
    """The pipelines of installed packages, and the tools of installed ForgeSyte plugins.

    In the entry-point group `forgesyte.pipelines` a name is the pipeline id and its value a factory
    without arguments that returns a Pipeline. Nothing is imported before the first frame that needs
    it; then the factory is called once, on the calling thread, and what it returned serves every
    later job. A factory that raises is called again at the next job.

    Plugins are in the group `forgesyte.plugins`. What their tools are is known when they are made,
    so they have to be: see `load_plugins`.
    """

    def __init__(
        self,
        entries: Iterable[EntryPoint] | None = None,
        plugins: Iterable[EntryPoint] | None = None,
    ) -> None:
        """Take the given entry points, or those of all installed packages."""
        self._entries: dict[str, EntryPoint] = {}
        self._pipelines: dict[str, Pipeline] = {}
        self._plugins = list(entry_points(group=PLUGIN_GROUP) if plugins is None else plugins)
        self._unusable_plugins: dict[str, str] = {}
        for entry in entry_points(group=ENTRY_POINT_GROUP) if entries is None else entries:
            self._add(entry)

    def _add(self, entry: EntryPoint) -> None:
        first = self._entries.setdefault(entry.name, entry)
        if first.value != entry.value:
            _warn_of_second(entry.name, first.value, entry.value)

    def load_plugins(self) -> None:
        """Make every installed plugin and offer its tools. Call it once, on the thread that will
        run the jobs, before anyone asks for a pipeline.

        A plugin that cannot be made is logged; who asks for its tools is told why. Libraries that
        plugins and pipelines load from now on leave one processor to the server.
        """
        _limit_threads()
        for entry in self._plugins:
            try:
                tools = load_tools(entry)
            except (Exception, SystemExit) as error:
                reason = " ".join(describe(error).split())
                self._unusable_plugins[entry.name] = reason
                logger.warning("The plugin %r cannot be loaded: %s", entry.name, reason)
                logger.debug("Where the plugin %r failed", entry.name, exc_info=True)
                continue
            for pipeline_id, tool in tools.items():
                if pipeline_id in self.ids():
                    _warn_of_second(pipeline_id, "the first one", entry.value)
                else:
                    self._pipelines[pipeline_id] = tool

    def ids(self) -> list[str]:
        return sorted(self._entries.keys() | self._pipelines.keys())

    def require(self, pipeline_id: str) -> None:
        """Nothing happens when there is such a pipeline.

        Raises:
            UnknownPipeline: there is none; names the known ones.
        """
        if pipeline_id in self._entries or pipeline_id in self._pipelines:
            return
        plugin, _, _ = pipeline_id.partition(".")
        if plugin in self._unusable_plugins:
            raise UnknownPipeline(
                f"The plugin {plugin!r} cannot be loaded: {self._unusable_plugins[plugin]}"
            )
        known = ", ".join(self.ids()) or "none"
        unusable = ", ".join(map(repr, self._unusable_plugins))
        raise UnknownPipeline(
            f"There is no pipeline {pipeline_id!r:.100}; installed: {known}."
            + (f" Plugins that cannot be loaded: {unusable}." if unusable else "")
        )

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run one frame and return the answer as plain JSON values, see `results.as_json`.

        Raises:
            PipelineError: the pipeline cannot be built or answers something else than a dict.
            ResultError: the answer cannot be JSON. What the pipeline raises comes as it is.
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


def _limit_threads() -> None:
    """Libraries read these variables when they are loaded; what the user has set stays."""
    threads = max(1, len(os.sched_getaffinity(0)) - 1)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))


def _warn_of_second(pipeline_id: str, first: str, second: str) -> None:
    logger.warning(
        "Two packages offer the pipeline %r: %s is used, %s is not", pipeline_id, first, second
    )
