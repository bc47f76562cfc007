"""A plugin as ForgeSyte's guide writes them: handlers take their arguments as keywords, and raise
at any that they do not name."""

import io
import logging
import threading
from typing import Any

from PIL import Image, ImageDraw
from pydantic import BaseModel

from app.plugins.base import BasePlugin

logger = logging.getLogger("documented")

IMAGE = {"type": "string", "format": "binary"}


class Size(BaseModel):
    width: int
    height: int


class Plugin(BasePlugin):
    name = "documented"

    def __init__(self) -> None:
        self.calls = 0
        inputs: dict[str, dict[str, Any]] = {
            "count": {},
            "number": {"frame_index": {"type": "integer"}},
            "options": {
                "device": {"type": "string", "default": "cpu"},
                "limits": {"type": "array", "default": [1, 2]},
                "prompt": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                "threshold": {"type": "number"},
            },
            "measure": {},
            "later": {},
            "paint": {},
            "tell": {},
            "fail": {},
            "leave": {},
            "hang": {},
        }
        self.tools = {
            tool: {
                "description": tool,
                "input_schema": {"type": "object", "properties": {"image_bytes": IMAGE} | more},
                "output_schema": {"type": "object"},
                "handler": getattr(self, tool),
            }
            for tool, more in inputs.items()
        }
        super().__init__()

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        answer = self.tools[tool_name]["handler"](**args)
        args.clear()
        return answer

    def count(self, image_bytes: bytes) -> Any:
        self.calls += 1
        return {"calls": self.calls}

    def number(self, image_bytes: bytes, frame_index: int) -> Any:
        return {"frame": frame_index}

    def options(
        self,
        image_bytes: bytes,
        device: str,
        limits: list[int],
        prompt: str | None,
        threshold: float = 0.5,
    ) -> Any:
        limits.append(3)
        return {"device": device, "limits": limits, "prompt": prompt, "threshold": threshold}

    def measure(self, image_bytes: bytes) -> Size:
        with Image.open(io.BytesIO(image_bytes)) as image:
            return Size(width=image.width, height=image.height)

    async def later(self, image_bytes: bytes) -> Any:
        return {"later": True}

    def paint(self, image_bytes: bytes) -> Any:
        """Says how the frame was, and paints it white."""
        with Image.open(io.BytesIO(image_bytes)) as image:
            darkest, _ = image.convert("L").getextrema()
            ImageDraw.Draw(image).rectangle((0, 0, *image.size), fill="white")
            image.save(buffer := io.BytesIO(image_bytes), "PNG")
        return {"darkest": darkest, "painted": buffer.tell() > 0}

    def tell(self, image_bytes: bytes) -> Any:
        print("printed by a tool")
        logger.debug("said at debug")
        logger.warning("said at warning")
        return {}

    def fail(self, image_bytes: bytes) -> Any:
        self.calls += 1
        if self.calls > 2:
            raise KeyError("no such class: 7")
        return {}

    def leave(self, image_bytes: bytes) -> Any:
        raise SystemExit("no licence")

    def hang(self, image_bytes: bytes) -> Any:
        logger.info("hangs")
        threading.Event().wait()

    def on_load(self) -> None:
        logger.info("loaded")
        print("printed by a plugin")
