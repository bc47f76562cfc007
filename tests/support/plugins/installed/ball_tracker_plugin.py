"""A plugin after the contract of ForgeSyte's tracker: callable handlers in a class attribute,
answers wrapped in `success` and `result`, tools for frames beside tools for whole videos."""

from typing import Any

from app.plugins.base import BasePlugin


def ball_detection(image_bytes: bytes, device: str = "cpu", annotated: bool = False) -> Any:
    if len(image_bytes) > 20_000:
        return {"success": False, "error": "image_too_large"}
    return {"success": True, "result": {"xyxy": [[1.0, 2.0, 3.0, 4.0]], "device": device}}


def broken_detection(image_bytes: bytes) -> Any:
    return {"error": "invalid_image", "message": "Failed to decode image: truncated"}


def video_ball_detection(video_path: str, device: str = "cpu") -> Any:
    raise AssertionError("This server has frames, no paths.")


class Plugin(BasePlugin):
    name: str = "ball-tracker"
    tools: dict[str, dict[str, Any]] = {  # noqa: RUF012
        "ball_detection": {
            "description": "Detect the ball",
            "input_schema": {
                "image_bytes": {"type": "string", "format": "binary"},
                "device": {"type": "string", "default": "cpu"},
            },
            "output_schema": {"result": {"type": "object"}},
            "handler": ball_detection,
        },
        "broken_detection": {
            "description": "Detect nothing",
            "input_schema": {"image_bytes": {"type": "string", "format": "binary"}},
            "output_schema": {"result": {"type": "object"}},
            "handler": broken_detection,
        },
        "video_ball_detection": {
            "description": "Detect the ball in a video",
            "input_schema": {"video_path": {"type": "string"}},
            "output_schema": {"frames": {"type": "array"}},
            "handler": video_ball_detection,
        },
    }

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        if tool_name not in self.tools:
            raise ValueError(f"Unknown tool: {tool_name}")
        return self.tools[tool_name]["handler"](image_bytes=args["image_bytes"])
