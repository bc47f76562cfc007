"""ForgeSyte plugins as pipelines.

A plugin is a class with `name`, `tools` and `run_tool(tool_name, args)`, see
`app.plugins.base.BasePlugin`, named in the entry-point group `forgesyte.plugins`. Each of its tools
that takes an image is the pipeline `plugin.tool`; tools that take a whole video are none.

A tool is called with what its `input_schema` names and we have: the image, `frame_index`, and the
options that the schema gives defaults for. Tools that hand their arguments on as keywords raise at
any other.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import BaseModel

from app.core.error_messages import describe
from app.core.errors import PipelineError

IMAGE = "image_bytes"
FRAME_INDEX = "frame_index"
MESSAGES = (str, dict, list, bool)
"""What an `error` is that says what went wrong, or just that something did."""


@dataclass(frozen=True)
class Inputs:
    """What a tool takes beside the image: its options with their defaults, and the frame's index
    if it asks for that."""

    options: Mapping[str, Any]
    takes_frame_index: bool

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> "Inputs":
        options = {
            name: kind["default"]
            for name, kind in properties.items()
            if name not in (IMAGE, FRAME_INDEX) and isinstance(kind, dict) and "default" in kind
        }
        return cls(options, FRAME_INDEX in properties)

    def arguments(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """For one call, which may change them."""
        arguments = {**deepcopy(dict(self.options)), IMAGE: payload[IMAGE]}
        if self.takes_frame_index:
            arguments[FRAME_INDEX] = payload[FRAME_INDEX]
        return arguments


class PluginSource:
    """Makes plugins of an entry point.

    The first is made at once, to learn what its tools are, and is what the first `make` returns.
    Raises whatever the plugin's code raises, and TypeError for a plugin that offers no tools, or
    does not say what they take.
    """

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        first = self._new()
        tools = getattr(first, "tools", None)
        if not isinstance(tools, dict) or not callable(getattr(first, "run_tool", None)):
            raise TypeError("it has no tools, or no run_tool to run them")
        self._tools: dict[str, tuple[str, Inputs]] = {}
        for tool, description in tools.items():
            properties = _properties(tool, description)
            if IMAGE in properties:
                self._tools[f"{first.name}.{tool}"] = tool, Inputs.of(properties)
        self._spare = [first]

    def tools(self) -> dict[str, Callable[[], "PluginTool"]]:
        """What makes the pipeline of each tool, by pipeline id."""
        return {
            pipeline_id: partial(self._make, pipeline_id, tool, inputs)
            for pipeline_id, (tool, inputs) in self._tools.items()
        }

    def _make(self, pipeline_id: str, tool: str, inputs: Inputs) -> "PluginTool":
        plugin = self._spare.pop() if self._spare else self._again()
        unload = getattr(plugin, "on_unload", _nothing)
        return PluginTool(plugin.run_tool, pipeline_id, tool, inputs, unload)

    def _again(self) -> Any:
        try:
            return self._new()
        except (Exception, SystemExit) as error:
            raise PipelineError(
                f"The plugin {self._entry.name!r} cannot be made anew, as it is for each job: "
                f"{describe(error)}"
            ) from error

    def _new(self) -> Any:
        plugin = self._entry.load()()
        for hook in ("validate", "on_load"):
            getattr(plugin, hook, _nothing)()
        return plugin


def _nothing() -> None:
    pass


def _properties(tool: str, description: Any) -> Mapping[str, Any]:
    """Input schemas are JSON Schemas of an object, or just a mapping of its properties.

    Raises:
        TypeError: it is none of these.
    """
    schema = description.get("input_schema") if isinstance(description, dict) else None
    if isinstance(schema, dict):
        properties = schema.get("properties", schema)
        if isinstance(properties, dict):
            return properties
    raise TypeError(f"its tool {tool!r} has no input_schema that is a schema of an object")


class PluginTool:
    """A pipeline that runs one tool of a plugin on each frame's JPEG."""

    def __init__(
        self,
        run_tool: Callable[[str, dict[str, Any]], Any],
        pipeline_id: str,
        tool: str,
        inputs: Inputs,
        close: Callable[[], object] = _nothing,
    ) -> None:
        self._run_tool = run_tool
        self._pipeline_id = pipeline_id
        self._tool = tool
        self._inputs = inputs
        self.close = close

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tool's answer; of `{"success": True, "result": {...}}`, the result alone.

        Raises:
            PipelineError: the tool raises, or answers an error: plugins often do not raise. An
                `error` that is no message but a number or an array is a measure.
        """
        frame_index = payload[FRAME_INDEX]
        answer = self._answer(payload)
        if not isinstance(answer, dict):
            raise PipelineError(
                f"The plugin's tool {self._pipeline_id} answered frame {frame_index} with "
                f"{type(answer).__name__}."
            )
        error = answer.get("error")
        if (isinstance(error, MESSAGES) and error) or answer.get("success") is False:
            reason = answer.get("message") or error or "it does not say why"
            raise self._failure(frame_index, str(reason))
        result = answer.get("result")
        return result if answer.get("success") is True and isinstance(result, dict) else answer

    def _answer(self, payload: Mapping[str, Any]) -> Any:
        arguments = self._inputs.arguments(payload)
        try:
            answer = self._run_tool(self._tool, arguments)
            if inspect.iscoroutine(answer):
                answer = asyncio.run(answer)
            return answer.model_dump() if isinstance(answer, BaseModel) else answer
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._failure(payload[FRAME_INDEX], describe(error)) from error

    def _failure(self, frame_index: int, reason: str) -> PipelineError:
        return PipelineError(
            f"The plugin's tool {self._pipeline_id} failed at frame {frame_index}: {reason}"
        )
