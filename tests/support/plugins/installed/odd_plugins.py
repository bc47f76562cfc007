"""Plugins that do not keep to what is expected of one."""

from typing import Any, ClassVar


class Odd:
    name = "odd"
    schema: ClassVar[Any] = {"image_bytes": {}}

    def __init__(self) -> None:
        self.tools = {"look": {"description": "", "input_schema": self.schema}}

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return {}


class Once(Odd):
    name = "once"
    made: ClassVar[list["Once"]] = []

    def __init__(self) -> None:
        if self.made:
            raise RuntimeError("the camera is taken")
        super().__init__()
        self.made.append(self)


class NoSchema(Odd):
    name = "no-schema"
    schema: ClassVar[Any] = ["image_bytes"]
