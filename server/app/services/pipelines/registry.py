"""Pipelines that installed packages offer, by name."""

from collections.abc import Iterable, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from logging import getLogger
from typing import Any

from app.core.error_messages import describe
from app.core.errors import UnknownPipeline
from app.services.pipelines.open_pipeline import Offer, OpenPipeline, Pipeline
from app.services.pipelines.plugins import PluginSource
from app.services.video_file_pipeline_service import PipelineOpener

ENTRY_POINT_GROUP = "forgesyte.pipelines"
PLUGIN_GROUP = "forgesyte.plugins"

logger = getLogger(__name__)


class PipelineRegistry(PipelineOpener):
    """The pipelines of installed packages, and the tools of installed ForgeSyte plugins.

    In the entry-point group `forgesyte.pipelines` a name is the pipeline id and its value a class,
    or another factory without arguments, that makes a Pipeline. Nothing is imported before the
    first run that needs it.

    Plugins are in the group `forgesyte.plugins`. What their tools are is known when they are made,
    so they have to be: see `load_plugins`.
    """

    def __init__(
        self,
        entries: Iterable[EntryPoint] | None = None,
        plugins: Iterable[EntryPoint] | None = None,
    ) -> None:
        """Take the given entry points, or those of all installed packages."""
        self._offers: dict[str, Offer] = {}
        self._plugins = list(entry_points(group=PLUGIN_GROUP) if plugins is None else plugins)
        self._unusable_plugins: dict[str, str] = {}
        for entry in entry_points(group=ENTRY_POINT_GROUP) if entries is None else entries:
            first = self._offers.setdefault(entry.name, Offer(entry, partial(_make, entry))).entry
            if first.value != entry.value:
                _warn_of_second(entry.name, first.value, entry.value)

    def load_plugins(self) -> None:
        """Make every installed plugin and offer its tools. Call it once, on the thread that will
        run the jobs, before anyone asks for a pipeline.

        A plugin that cannot be made is logged; who asks for its tools is told why.
        """
        for entry in self._plugins:
            try:
                tools = PluginSource(entry).tools()
            except (Exception, SystemExit) as error:
                reason = " ".join(describe(error).split())
                self._unusable_plugins[entry.name] = reason
                logger.warning("The plugin %r cannot be loaded: %s", entry.name, reason)
                logger.debug("Where the plugin %r failed", entry.name, exc_info=True)
                continue
            for pipeline_id, make in tools.items():
                if pipeline_id in self._offers:
                    _warn_of_second(pipeline_id, "the first one", entry.value)
                else:
                    self._offers[pipeline_id] = Offer(entry, make)

    def ids(self) -> list[str]:
        return sorted(self._offers)

    def require(self, pipeline_id: str) -> None:
        """Nothing happens when there is such a pipeline.

        Raises:
            UnknownPipeline: there is none; names the known ones.
        """
        if pipeline_id in self._offers:
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

    def open(self, pipeline_id: str) -> OpenPipeline:
        """A pipeline for one run over one file: to be closed after it, nothing of it is kept.

        Raises:
            UnknownPipeline: there is none.
        """
        self.require(pipeline_id)
        return OpenPipeline(pipeline_id, self._offers[pipeline_id])

    def run_pipeline(self, pipeline_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run a frame that stands alone, by a pipeline that is made for it: see `OpenPipeline`."""
        with self.open(pipeline_id) as pipeline:
            return pipeline.run_pipeline(pipeline_id, payload)


def _make(entry: EntryPoint) -> Pipeline:
    pipeline: Pipeline = entry.load()()
    return pipeline


def _warn_of_second(pipeline_id: str, first: str, second: str) -> None:
    logger.warning(
        "Two packages offer the pipeline %r: %s is used, %s is not", pipeline_id, first, second
    )
