"""A plugin after the contract of ForgeSyte's own ocr plugin: string handlers, pydantic answers, and
an `error` field where others raise."""

import io
import threading
from typing import Any

from PIL import Image
from pydantic import BaseModel, Field

from app.plugins.base import BasePlugin


class PageInput(BaseModel):
    image_bytes: bytes = Field(description="PNG or JPEG")
    options: dict[str, Any] | None = None


class PageOutput(BaseModel):
    text: str
    blocks: list[dict[str, Any]] = Field(default_factory=list)
    confidence: float
    language: str | None = None
    error: str | None = None


class Plugin(BasePlugin):
    name = "page"

    def __init__(self) -> None:
        self.loaded_on = ""
        self.tools = {
            "analyze": {
                "description": "Say how large the page is",
                "input_schema": PageInput.model_json_schema(),
                "output_schema": PageOutput.model_json_schema(),
                "handler": "analyze",
            }
        }
        super().__init__()

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        if tool_name not in ("default", "analyze"):
            raise ValueError(f"Unknown tool: {tool_name}")
        image_bytes = args.get("image_bytes")
        if not isinstance(image_bytes, bytes):
            raise ValueError("image_bytes must be bytes")
        return self.analyze(image_bytes=image_bytes, options=args.get("options"))

    def analyze(self, image_bytes: bytes, options: dict[str, Any] | None = None) -> PageOutput:
        try:
            with Image.open(io.BytesIO(image_bytes)) as image:
                width, height = image.size
        except Exception as error:
            return PageOutput(text="", confidence=0, error=str(error))
        bbox = {"x": 0, "y": 0, "width": width, "height": height}
        block = {"text": f"{width} x {height}", "bbox": bbox, "thread": self.loaded_on}
        return PageOutput(text=f"{width} x {height}", blocks=[block], confidence=1)

    def on_load(self) -> None:
        self.loaded_on = threading.current_thread().name
