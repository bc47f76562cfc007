import logging
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import numpy as np
import pytest

from app.core.errors import PipelineError, UnknownPipeline
from app.plugins.base import BasePlugin
from app.services.pipelines.plugins import PluginTool
from app.services.pipelines.registry import PLUGIN_GROUP, PipelineRegistry
from app.services.video.payload import FramePayload
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TINY_MP4
from tests.support.client import results, submit, wait_for
from tests.support.plugins import INSTALLED
from tests.support.server import ServerProcess

PAGE = EntryPoint("page", "page_plugin:Plugin", PLUGIN_GROUP)
TRACKER = EntryPoint("ball-tracker", "ball_tracker_plugin:Plugin", PLUGIN_GROUP)
BROKEN = EntryPoint("broken", "broken_plugin:Plugin", PLUGIN_GROUP)


@pytest.fixture(autouse=True)
def installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(INSTALLED)


def registry_of(*plugins: EntryPoint) -> PipelineRegistry:
    registry = PipelineRegistry([], plugins)
    registry.load_plugins()
    return registry


def payload(height: int = 48, width: int = 64) -> FramePayload:
    return FramePayload(3, np.zeros((height, width, 3), np.uint8), 0.0)


def noise(side: int) -> FramePayload:
    return FramePayload(
        3, np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8), 0.0
    )


def test_each_tool_for_images_is_a_pipeline() -> None:
    registry = registry_of(PAGE, TRACKER)

    assert registry.ids() == [
        "ball-tracker.ball_detection",
        "ball-tracker.broken_detection",
        "page.analyze",
    ]
    registry.require("page.analyze")


def test_nothing_is_imported_before_plugins_are_loaded() -> None:
    registry = PipelineRegistry([], [BROKEN])

    assert registry.ids() == []


def test_a_pydantic_answer_is_a_dict() -> None:
    answer = registry_of(PAGE).run_pipeline("page.analyze", payload())

    assert answer == {
        "text": "64 x 48",
        "blocks": [
            {
                "text": "64 x 48",
                "bbox": {"x": 0, "y": 0, "width": 64, "height": 48},
                "thread": threading.current_thread().name,
            }
        ],
        "confidence": 1.0,
        "language": None,
        "error": None,
    }


def test_a_wrapped_answer_is_unwrapped() -> None:
    answer = registry_of(TRACKER).run_pipeline("ball-tracker.ball_detection", payload())

    assert answer == {"xyxy": [[1.0, 2.0, 3.0, 4.0]], "device": "cpu"}


def test_an_error_that_is_answered_fails_the_job() -> None:
    registry = registry_of(PAGE, TRACKER)

    with pytest.raises(
        PipelineError, match=r"broken_detection failed at frame 3: Failed to decode image: trunc"
    ):
        registry.run_pipeline("ball-tracker.broken_detection", payload())
    with pytest.raises(PipelineError, match="ball_detection failed at frame 3: image_too_large"):
        registry.run_pipeline("ball-tracker.ball_detection", noise(200))
    with pytest.raises(PipelineError, match=r"page.analyze failed at frame 3: cannot identify"):
        registry.run_pipeline("page.analyze", {"frame_index": 3, "image_bytes": b"no image"})


@pytest.mark.parametrize("error", [None, "", {}, False, 0, 0.12, np.float32(0.12)])
def test_an_error_that_is_a_measure_or_nothing_is_none(error: object) -> None:
    tool = PluginTool(lambda tool, args: {"error": error}, "fit.line", "line")

    assert tool(payload()) == {"error": error}


@pytest.mark.parametrize("error", ["no model", {"code": 7, "text": "no model"}, ["no model"], True])
def test_an_error_that_is_no_number_fails_the_job(error: object) -> None:
    tool = PluginTool(lambda tool, args: {"error": error}, "fit.line", "line")

    with pytest.raises(PipelineError, match=r"fit\.line failed at frame 3"):
        tool(payload())


def test_what_a_tool_raises_comes_through() -> None:
    with pytest.raises(ValueError, match="image_bytes must be bytes"):
        registry_of(PAGE).run_pipeline("page.analyze", {"frame_index": 3, "image_bytes": None})


def test_a_plugin_that_cannot_be_loaded_is_one_line_and_the_others_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        registry = registry_of(BROKEN, TRACKER)

    reason = "The plugin 'broken' cannot be loaded: ModuleNotFoundError: No module named"
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert record.exc_info is None
    assert "ball-tracker.ball_detection" in registry.ids()
    with pytest.raises(UnknownPipeline, match=reason):
        registry.require("broken.analyze")
    with pytest.raises(
        UnknownPipeline,
        match=r"no pipeline 'page\.analyze'; installed: .* that cannot be loaded: 'broken'\.",
    ):
        registry.require("page.analyze")


class Watched(BasePlugin):
    """Numbers its instances, and notes what becomes of each."""

    name = "watched"
    tools: dict[str, dict[str, Any]] = {  # noqa: RUF012
        tool: {
            "handler": print,
            "description": "",
            "input_schema": {"image_bytes": {}},
            "output_schema": {},
        }
        for tool in ("one", "other")
    }
    notes: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__()
        self.number = sum(note.startswith("made") for note in self.notes) + 1
        self.notes.append(f"made {self.number}")

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any:
        return {"instance": self.number}

    def on_unload(self) -> None:
        self.notes.append(f"unloaded {self.number}")


def test_the_plugin_that_was_made_first_serves_the_first_run_and_each_later_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Watched, "notes", [])
    registry = registry_of(EntryPoint("watched", f"{__name__}:Watched", PLUGIN_GROUP))

    for run in (1, 2, 3):
        pipeline_id = "watched.other" if run == 2 else "watched.one"
        with registry.open(pipeline_id) as pipeline:
            assert not pipeline.is_pure(pipeline_id)
            answers = [pipeline.answer(payload())["instance"] for _ in range(2)]
        assert answers == [run, run]

    assert Watched.notes == [
        f"{event} {run}" for run in (1, 2, 3) for event in ("made", "unloaded")
    ]


class NoTools:
    name = "no_tools"


class Leaving(BasePlugin):
    name = "leaving"
    tools: dict[str, dict[str, Any]] = {}  # noqa: RUF012

    def run_tool(self, tool_name: str, args: dict[str, Any]) -> Any: ...

    def validate(self) -> None:
        raise SystemExit("no licence")


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        ("NoTools", "TypeError: it has no tools, or no run_tool to run them"),
        ("Leaving", "SystemExit: no licence"),
        ("Missing", "AttributeError"),
    ],
)
def test_plugins_that_break_the_contract(plugin: str, reason: str) -> None:
    registry = registry_of(EntryPoint("odd", f"{__name__}:{plugin}", PLUGIN_GROUP))

    assert registry.ids() == []
    with pytest.raises(UnknownPipeline, match=reason):
        registry.require("odd.tool")


def test_of_two_plugins_with_one_name_the_first_is_used(caplog: pytest.LogCaptureFixture) -> None:
    registry = registry_of(PAGE, EntryPoint("again", PAGE.value, PLUGIN_GROUP))

    assert registry.ids() == ["page.analyze"]
    assert [record.getMessage() for record in caplog.records] == [
        "Two packages offer the pipeline 'page.analyze': the first one is used, "
        "page_plugin:Plugin is not"
    ]


class TestBasePlugin:
    TOOL: ClassVar[dict[str, Any]] = {
        "handler": print,
        "description": "a tool",
        "input_schema": {},
        "output_schema": {},
    }

    def make(self, **attributes: Any) -> BasePlugin:
        methods = {"run_tool": lambda self, tool_name, args: {}, "method": lambda self: {}}
        plugin: BasePlugin = type("SomePlugin", (BasePlugin,), methods | attributes)()
        return plugin

    @pytest.mark.parametrize("handler", [print, "method"])
    def test_a_whole_plugin(self, handler: object) -> None:
        plugin = self.make(name="some", tools={"tool": self.TOOL | {"handler": handler}})

        assert plugin.name == "some"
        plugin.validate()

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ({"tools": {}}, "SomePlugin has no name"),
            ({"name": "", "tools": {}}, "SomePlugin has no name"),
            ({"name": "some"}, "SomePlugin has no dict of tools"),
            ({"name": "some", "tools": []}, "SomePlugin has no dict of tools"),
            ({"name": "some", "tools": {"t": print}}, "'t' of SomePlugin is not described by a d"),
        ],
    )
    def test_missing_attributes(self, attributes: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            self.make(**attributes)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"handler": None}, "'tool' of SomePlugin has no callable handler"),
            ({"handler": "no_such_method"}, "'tool' of SomePlugin has no callable handler"),
            ({"description": None}, "'tool' of SomePlugin has no str description"),
            ({"input_schema": None}, "'tool' of SomePlugin has no dict input_schema"),
            ({"output_schema": "{}"}, "'tool' of SomePlugin has no dict output_schema"),
        ],
    )
    def test_tools_that_are_not_described(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            self.make(name="some", tools={"tool": self.TOOL | changes})

    def test_run_tool_is_required(self) -> None:
        with pytest.raises(TypeError, match="run_tool"):
            type("SomePlugin", (BasePlugin,), {"name": "some", "tools": {}})()


def test_plugins_in_the_running_server(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", plugins=[INSTALLED]) as server:
        refused = httpx2.post(
            f"{server.base_url}/video/submit",
            files={"file": ("v.mp4", TINY_MP4.read_bytes())},
            data={"pipeline_id": "broken.analyze"},
            trust_env=False,
        )
        job_id = submit(server.base_url, TINY_MP4, "page.analyze")
        assert wait_for(server.base_url, job_id, 60)["status"] == "completed"
        frames = results(server.base_url, job_id)["results"]

    assert refused.status_code == 422
    assert "'broken' cannot be loaded: ModuleNotFoundError" in refused.json()["detail"]
    assert len(frames) == FRAME_COUNT
    (block,) = frames[0]["result"]["blocks"]
    assert block["thread"].startswith("worker"), "loaded on the thread that runs the jobs"
    assert server.log().count("'broken' cannot be loaded") == 1
    assert "Traceback" not in server.log()
