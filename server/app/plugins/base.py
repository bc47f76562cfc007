"""The base class that ForgeSyte plugins import."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class BasePlugin(ABC):
    """A plugin offers tools, each run on one image at a time.

    A package names its class in the entry-point group `forgesyte.plugins`. The class is called
    without arguments, once; its initializer has to call this one, which checks these attributes:

    name: the plugin's id, not empty.
    tools: for each tool's name a dict of `handler` (a callable, or the name of a method),
        `description` (str), `input_schema` and `output_schema` (dicts).
    """

    name: str
    tools: dict[str, dict[str, Any]]

    def __init__(self) -> None:
        """
        Raises:
            ValueError: an attribute is not as it must be; names the plugin and the tool.
        """
        plugin = type(self).__name__
        name, tools = getattr(self, "name", None), getattr(self, "tools", None)
        if not isinstance(name, str) or not name:
            raise ValueError(f"{plugin} has no name.")
        if not isinstance(tools, dict):
            raise ValueError(f"{plugin} has no dict of tools.")
        for tool, description in tools.items():
            fault = self._fault(description)
            if fault:
                raise ValueError(f"The tool {tool!r} of {plugin} {fault}.")

    def _fault(self, tool: object) -> str | None:
        if not isinstance(tool, Mapping):
            return "is not described by a dict"
        handler = tool.get("handler")
        if isinstance(handler, str):
            handler = getattr(self, handler, None)
        if not callable(handler):
            return "has no callable handler"
        expected = {"description": str, "input_schema": dict, "output_schema": dict}
        for key, kind in expected.items():
            if not isinstance(tool.get(key), kind):
                return f"has no {kind.__name__} {key}"
        return None

    @abstractmethod
    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        """Run a tool on `args["image_bytes"]`, an encoded image, and return its answer: a dict or
        a pydantic model.

        Raises:
            ValueError: there is no such tool.
        """

    def validate(self) -> None:  # noqa: B027
        """Called once after the plugin is made: the place to load models. May raise."""
