import logging
import re
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from app.core.errors import PipelineError, UnknownPipeline
from app.plugins.base import BasePlugin
from app.services.pipelines.plugins import Inputs, PluginTool
from app.services.pipelines.registry import PLUGIN_GROUP, PipelineRegistry
from app.services.video.payload import FramePayload
from tests.fixtures.make_tiny_mp4 import FRAME_COUNT, TINY_MP4
from tests.support.client import connect, results, status, submit, wait_for, wait_until
from tests.support.plugins import INSTALLED
from tests.support.server import ServerProcess

DOCUMENTED = EntryPoint("documented", "documented_plugin:Plugin", PLUGIN_GROUP)
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
    tool = PluginTool(lambda tool, args: {"error": error}, "fit.line", "line", Inputs.of({}))

    assert tool(payload()) == {"error": error}


@pytest.mark.parametrize("error", ["no model", {"code": 7, "text": "no model"}, ["no model"], True])
def test_an_error_that_is_no_number_fails_the_job(error: object) -> None:
    tool = PluginTool(lambda tool, args: {"error": error}, "fit.line", "line", Inputs.of({}))

    with pytest.raises(PipelineError, match=r"fit\.line failed at frame 3"):
        tool(payload())


@pytest.mark.parametrize(
    ("tool", "answer"),
    [
        ("count", {"calls": 1}),
        ("number", {"frame": 3}),
        ("options", {"device": "cpu", "limits": [1, 2, 3], "prompt": None, "threshold": 0.5}),
        ("measure", {"width": 64, "height": 48}),
        ("later", {"later": True}),
    ],
)
def test_a_tool_is_given_what_its_schema_names(tool: str, answer: dict[str, Any]) -> None:
    assert registry_of(DOCUMENTED).run_pipeline(f"documented.{tool}", payload()) == answer


@pytest.mark.parametrize(
    ("properties", "arguments"),
    [
        ({}, {}),
        ({"frame_index": {"default": 0}, "image_bytes": {"default": ""}}, {"frame_index": 3}),
        ({"frame_index": True, "size": True, "name": "string"}, {"frame_index": 3}),
        ({"size": {"$ref": "#/$defs/Size", "default": {"width": 1}}}, {"size": {"width": 1}}),
    ],
)
def test_what_a_schema_names(properties: dict[str, Any], arguments: dict[str, Any]) -> None:
    given = Inputs.of(properties).arguments(payload())

    assert given.pop("image_bytes").startswith(b"\xff\xd8")
    assert given == arguments


class Stop(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no class 7"), "ValueError: no class 7"),
        (PipelineError("no model"), "no model"),
        (SystemExit(2), "SystemExit: 2"),
        (Stop(), "Stop"),
        (OSError(2, "gone", "/opt/models/a.bin"), "FileNotFoundError: .* 'a.bin'"),
    ],
)
def test_what_a_tool_raises_is_told_with_the_tool_and_the_frame(
    error: BaseException, said: str
) -> None:
    def run_tool(tool: str, args: dict[str, Any]) -> Any:
        raise error

    with pytest.raises(PipelineError, match=rf"fit\.line failed at frame 3: {said}$") as caught:
        PluginTool(run_tool, "fit.line", "line", Inputs.of({}))(payload())
    assert caught.value.__cause__ is error


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


class Listed(Leaving):
    description: object = {"input_schema": ["image_bytes"]}

    def __init__(self) -> None:
        self.tools = {"tool": self.description}  # type: ignore[dict-item]

    def validate(self) -> None:
        pass


class Described(Listed):
    description = "a tool"


class Empty(Listed):
    description = {"input_schema": {"type": "object", "properties": None}}  # noqa: RUF012


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        ("NoTools", "TypeError: it has no tools, or no run_tool to run them"),
        ("Leaving", "SystemExit: no licence"),
        ("Missing", "AttributeError"),
        ("Listed", "TypeError: its tool 'tool' has no input_schema that is a schema of an object"),
        ("Described", "TypeError: its tool 'tool' has no input_schema"),
        ("Empty", "TypeError: its tool 'tool' has no input_schema"),
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


class Served:
    """A server with all the plugins, and what becomes of the jobs of their tools."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server

    def results(self, pipeline_id: str) -> list[dict[str, Any]]:
        job_id = self.ended(pipeline_id, "completed")
        return [r["result"] for r in results(self.server.base_url, job_id)["results"]]

    def failure(self, pipeline_id: str) -> str:
        job_id = self.ended(pipeline_id, "failed")
        with connect(self.server.base_url) as client:
            return str(client.get(f"/video/results/{job_id}").json()["detail"])

    def refusal(self, pipeline_id: str) -> str:
        with connect(self.server.base_url) as client:
            answer = client.post(
                f"/video/submit?pipeline_id={pipeline_id}", files={"file": TINY_MP4.read_bytes()}
            )
        assert answer.status_code == 422
        return str(answer.json()["detail"])

    def ended(self, pipeline_id: str, status: str) -> str:
        job_id = submit(self.server.base_url, TINY_MP4, pipeline_id)
        assert wait_for(self.server.base_url, job_id, 60)["status"] == status
        return job_id

    def lines(self, ending: str) -> list[str]:
        return [line for line in self.server.log().splitlines() if line.endswith(ending)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("served") / "data"
    with ServerProcess(data, plugins=[INSTALLED], env={"FORGESYTE_LOG_LEVEL": "Warning"}) as server:
        yield Served(server)


FRAMES = range(FRAME_COUNT)


@pytest.mark.parametrize(
    ("pipeline_id", "expected"),
    [
        ("documented.count", [{"calls": index + 1} for index in FRAMES]),
        ("documented.number", [{"frame": index} for index in FRAMES]),
        ("documented.options",
         [{"device": "cpu", "limits": [1, 2, 3], "prompt": None, "threshold": 0.5}] * FRAME_COUNT),
        ("documented.measure", [{"width": 320, "height": 240}] * FRAME_COUNT),
        ("documented.later", [{"later": True}] * FRAME_COUNT),
    ],
)  # fmt: skip
def test_plugins_run_in_the_server_as_they_are(
    served: Served, pipeline_id: str, expected: list[dict[str, Any]]
) -> None:
    assert served.results(pipeline_id) == expected


def test_each_job_has_a_plugin_of_its_own(served: Served) -> None:
    assert served.results("documented.count") == served.results("documented.count")


def test_what_a_tool_paints_no_other_frame_shows(served: Served) -> None:
    assert all(frame["darkest"] < 100 for frame in served.results("documented.paint"))


@pytest.mark.parametrize(
    ("pipeline_id", "reason"),
    [
        ("documented.fail", "documented.fail failed at frame 2: KeyError: 'no such class: 7'"),
        ("documented.leave", "documented.leave failed at frame 0: SystemExit: no licence"),
    ],
)
def test_a_tool_that_raises_fails_its_job_alone(
    served: Served, pipeline_id: str, reason: str
) -> None:
    assert reason in served.failure(pipeline_id)
    assert served.results("documented.number")


def test_a_class_that_cannot_be_made_twice_is_told(served: Served) -> None:
    assert served.results("once.look")

    said = "'once' cannot be made anew, as it is for each job: RuntimeError: the camera is taken"
    assert said in served.failure("once.look")


@pytest.mark.parametrize(
    ("pipeline_id", "reason"),
    [
        ("broken.analyze", "'broken' cannot be loaded: ModuleNotFoundError"),
        ("no-schema.look", "its tool 'look' has no input_schema that is a schema of an object"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_told(
    served: Served, pipeline_id: str, reason: str
) -> None:
    assert reason in served.refusal(pipeline_id)
    assert served.server.log().count(reason) == 1


def test_plugins_are_loaded_on_the_thread_that_runs_the_jobs(served: Served) -> None:
    (block,) = served.results("page.analyze")[0]["blocks"]
    assert block["thread"].startswith("worker")


def test_loggers_of_plugins_print_with_time_level_and_name_from_the_level_that_is_set(
    served: Served,
) -> None:
    served.ended("documented.tell", "completed")

    said = served.lines("said at warning")
    assert len(said) == FRAME_COUNT
    assert all(re.fullmatch(r"\d{4}-\S+ \S+ WARNING documented: said at warning", s) for s in said)
    assert len(served.lines("printed by a tool")) in (0, FRAME_COUNT)  # a buffer may hold it
    assert not served.lines("said at debug") + served.lines(": loaded")


def test_at_debug_they_say_all(tmp_path: Path) -> None:
    env = {"FORGESYTE_LOG_LEVEL": "debug"}
    with ServerProcess(tmp_path / "data", plugins=[INSTALLED], env=env) as server:
        it = Served(server)
        it.ended("documented.tell", "completed")
        assert len(it.lines("DEBUG documented: said at debug")) == FRAME_COUNT
        assert len(it.lines("INFO documented: loaded")) == 1


def test_a_tool_that_never_returns_does_not_hold_a_stop(tmp_path: Path) -> None:
    env = {"FORGESYTE_SHUTDOWN_GRACE_SECONDS": "0"}
    with ServerProcess(tmp_path / "data", plugins=[INSTALLED], env=env) as server:
        job_id = submit(server.base_url, TINY_MP4, "documented.hang")
        wait_until(lambda: "documented: hangs" in server.log(), 60, "The first frame")
        assert server.stop() == 143
        server.restart()
        assert status(server.base_url, job_id)["status"] in ("pending", "running")
