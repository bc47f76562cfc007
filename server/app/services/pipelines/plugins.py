"""ForgeSyte plugins as pipelines.

A plugin is a class with `name`, `tools` and `run_tool(tool_name, args)`, see
`app.plugins.base.BasePlugin`, named in the entry-point group `forgesyte.plugins`. Each of its tools
that takes an image is the pipeline `plugin.tool`; tools that take a whole video are none.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import BaseModel

from app.core.errors import PipelineError

IMAGE = "image_bytes"
MESSAGES = (str, dict, list, bool)
"""What an `error` is that says what went wrong, or just that something did."""


def load_tools(entry: EntryPoint) -> dict[str, "PluginTool"]:
    """Import and make the plugin of an entry point, and return its tools by pipeline id.

    Raises:
        TypeError: the plugin offers no tools. What its code raises comes as it is.
    """
    plugin = entry.load()()
    for hook in ("validate", "on_load"):
        getattr(plugin, hook, _nothing)()
    tools = getattr(plugin, "tools", None)
    if not isinstance(tools, dict) or not callable(getattr(plugin, "run_tool", None)):
        raise TypeError("it has no tools, or no run_tool to run them")
    return {
        f"{plugin.name}.{tool}": PluginTool(plugin.run_tool, f"{plugin.name}.{tool}", tool)
        for tool, description in tools.items()
        if _takes_image(description["input_schema"])
    }


def _nothing() -> None:
    pass


def _takes_image(schema: Mapping[str, Any]) -> bool:
    """Input schemas are JSON Schemas of an object, or just a mapping of its properties."""
    return IMAGE in schema.get("properties", schema)


class PluginTool:
    """A pipeline that runs one tool of a plugin on each frame's JPEG."""

    def __init__(
        self, run_tool: Callable[[str, dict[str, Any]], Any], pipeline_id: str, tool: str
    ) -> None:
        self._run_tool = run_tool
        self._pipeline_id = pipeline_id
        self._tool = tool

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
