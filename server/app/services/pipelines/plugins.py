"""ForgeSyte plugins as pipelines.

A plugin is a class with `name`, `tools` and `run_tool(tool_name, args)`, see
`app.plugins.base.BasePlugin`, named in the entry-point group `forgesyte.plugins`. Each of its tools
that takes an image is the pipeline `plugin.tool`; tools that take a whole video are none.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import BaseModel

from app.core.errors import PipelineError

IMAGE = "image_bytes"
MESSAGES = (str, dict, list, bool)
"""What an `error` is that says what went wrong, or just that something did."""


class PluginSource:
    """Makes plugins of an entry point.

    The first is made at once, to learn what its tools are, and is what the first `make` returns.
    Raises whatever the plugin's code raises, and TypeError for a plugin that offers no tools.
    """

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        first = self._new()
        tools = getattr(first, "tools", None)
        if not isinstance(tools, dict) or not callable(getattr(first, "run_tool", None)):
            raise TypeError("it has no tools, or no run_tool to run them")
        self._tools = {
            f"{first.name}.{tool}": tool
            for tool, description in tools.items()
            if _takes_image(description["input_schema"])
        }
        self._spare = [first]

    def tools(self) -> dict[str, Callable[[], "PluginTool"]]:
        """What makes the pipeline of each tool, by pipeline id."""
        return {
            pipeline_id: partial(self._make, pipeline_id, tool)
            for pipeline_id, tool in self._tools.items()
        }

    def _make(self, pipeline_id: str, tool: str) -> "PluginTool":
        try:
            plugin = self._spare.pop()
        except IndexError:
            plugin = self._new()
        return PluginTool(
            plugin.run_tool, pipeline_id, tool, getattr(plugin, "on_unload", _nothing)
        )

    def _new(self) -> Any:
        plugin = self._entry.load()()
        for hook in ("validate", "on_load"):
            getattr(plugin, hook, _nothing)()
        return plugin


def _nothing() -> None:
    pass


def _takes_image(schema: Mapping[str, Any]) -> bool:
    """Input schemas are JSON Schemas of an object, or just a mapping of its properties."""
    return IMAGE in schema.get("properties", schema)


class PluginTool:
    """A pipeline that runs one tool of a plugin on each frame's JPEG."""

    def __init__(
        self,
        run_tool: Callable[[str, dict[str, Any]], Any],
        pipeline_id: str,
        tool: str,
        close: Callable[[], object] = _nothing,
    ) -> None:
        self._run_tool = run_tool
        self._pipeline_id = pipeline_id
        self._tool = tool
        self.close = close

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tool's answer; of `{"success": True, "result": {...}}`, the result alone.

        Raises:
            PipelineError: the answer reports an error: plugins often do not raise. An `error` that
                is no message but a number or an array is a measure.
        """
        frame_index = payload["frame_index"]
        args = {IMAGE: payload[IMAGE], "frame_index": frame_index}
        answer = self._run_tool(self._tool, args)
        if isinstance(answer, BaseModel):
            answer = answer.model_dump()
        if not isinstance(answer, dict):
            raise PipelineError(
                f"The plugin's tool {self._pipeline_id} answered frame {frame_index} with "
                f"{type(answer).__name__}."
            )
        error = answer.get("error")
        if (isinstance(error, MESSAGES) and error) or answer.get("success") is False:
            reason = answer.get("message") or error or "it does not say why"
            raise PipelineError(
                f"The plugin's tool {self._pipeline_id} failed at frame {frame_index}: {reason}"
            )
        result = answer.get("result")
        return result if answer.get("success") is True and isinstance(result, dict) else answer
