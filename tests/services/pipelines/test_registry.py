import logging
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from app.core.errors import PipelineError, ResultError, UnknownPipeline
from app.services.pipelines.registry import ENTRY_POINT_GROUP, PipelineRegistry

HERE = "pipelines_for_the_registry_tests"
PAYLOAD = {"frame_index": 7, "frame": None, "image_bytes": b""}


class Offered:
    """Stands for the module of an installed package; its factories are made by the tests."""

    def __init__(self, **factories: Any) -> None:
        self.__dict__.update(factories)


@pytest.fixture
def registry_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    def build(**factories: Any) -> PipelineRegistry:
        monkeypatch.setitem(sys.modules, HERE, Offered(**factories))
        return PipelineRegistry(
            EntryPoint(name.replace("_", "-"), f"{HERE}:{name}", ENTRY_POINT_GROUP)
            for name in factories
        )

    return build


def answering(answer: Any) -> Any:
    return lambda: lambda payload: answer


def test_the_pipelines_of_this_package_are_found() -> None:
    registry = PipelineRegistry()

    assert {"barcodes", "ocr"} <= set(registry.ids())
    registry.require("ocr")


def test_ids_are_sorted_and_nothing_is_imported_to_list_them() -> None:
    entries = [EntryPoint(n, f"no_such_module_{n}:factory", ENTRY_POINT_GROUP) for n in "bca"]

    registry = PipelineRegistry(entries)

    assert registry.ids() == ["a", "b", "c"]
    registry.require("a")


def test_an_unknown_id_is_refused_with_the_known_ones(registry_of: Any) -> None:
    registry = registry_of(ocr=answering({}), barcodes=answering({}))

    with pytest.raises(UnknownPipeline, match="no pipeline 'yolo'; installed: barcodes, ocr"):
        registry.require("yolo")
    with pytest.raises(UnknownPipeline):
        registry.run_pipeline("yolo", PAYLOAD)


def test_no_pipelines_at_all() -> None:
    with pytest.raises(UnknownPipeline, match="installed: none"):
        PipelineRegistry([]).require("ocr")


def test_a_pipeline_is_called_with_the_payload_and_only_its_answer_comes_back(
    registry_of: Any,
) -> None:
    seen: list[Mapping[str, Any]] = []

    def pipeline(payload: Mapping[str, Any]) -> dict[str, Any]:
        seen.append(payload)
        return {"text": "hello"}

    registry = registry_of(reader=lambda: pipeline)

    assert registry.run_pipeline("reader", PAYLOAD) == {"text": "hello"}
    assert seen == [PAYLOAD]


def test_a_factory_is_called_once_a_run_on_the_thread_that_first_needs_it(registry_of: Any) -> None:
    built_on: list[threading.Thread] = []

    def factory() -> Any:
        built_on.append(threading.current_thread())
        return lambda payload: {}

    registry = registry_of(slow=factory)

    def work() -> None:
        with registry.open("slow") as pipeline:
            assert built_on == []
            pipeline.run_pipeline("slow", PAYLOAD)
            pipeline.run_pipeline("slow", PAYLOAD)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()

    assert built_on == [worker]


def counting(made: list[Any], *, is_pure: bool = False) -> type:
    """A class of pipelines that count their frames."""

    class Counting:
        pure = is_pure
        frames = closed = 0

        def __init__(self) -> None:
            made.append(self)

        def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
            self.frames += 1
            return {"frames": self.frames}

        def close(self) -> None:
            self.closed += 1

    return Counting


def test_nothing_goes_from_one_run_to_the_next(registry_of: Any) -> None:
    made: list[Any] = []
    registry = registry_of(counting=counting(made))

    for _ in range(2):
        with registry.open("counting") as pipeline:
            assert [pipeline.answer(PAYLOAD)["frames"] for _ in range(3)] == [1, 2, 3]

    assert [instance.closed for instance in made] == [1, 1]


def test_a_pure_pipeline_has_an_instance_for_each_thread(registry_of: Any) -> None:
    made: list[Any] = []
    together = threading.Barrier(3)

    with registry_of(pure=counting(made, is_pure=True)).open("pure") as pipeline:

        def work(_: int) -> dict[str, Any]:
            together.wait(10)
            answer: dict[str, Any] = pipeline.answer(PAYLOAD)
            return answer

        with ThreadPoolExecutor(3) as threads:
            answers = [*threads.map(work, range(3)), *threads.map(work, range(3))]

    assert [answer["frames"] for answer in answers] == [1, 1, 1, 2, 2, 2]
    assert [instance.closed for instance in made] == [1, 1, 1]


@pytest.mark.parametrize("value", [None, 1, "yes", False])
def test_what_is_not_true_is_not_pure(registry_of: Any, value: object) -> None:
    class Vague:
        pure = value

    pipeline = registry_of(vague=Vague).open("vague")

    assert not pipeline.is_pure("vague")
    assert pipeline.fingerprint() is None


def test_a_close_that_raises_is_logged_and_the_others_are_closed(
    registry_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[Any] = []

    class Stuck(counting(made)):  # type: ignore[misc]
        def close(self) -> None:
            super().close()
            raise OSError("stuck")

    with registry_of(stuck=Stuck).open("stuck") as pipeline:
        pipeline.answer(PAYLOAD)

    (record,) = caplog.records
    assert "'stuck' did not close" in record.getMessage()
    assert record.exc_info is not None
    assert made[0].closed == 1


def test_a_fingerprint_changes_with_what_the_class_says_of_its_version(registry_of: Any) -> None:
    class Model:
        pure = True
        version = "1"

    pipeline = registry_of(model=Model).open("model")
    first = pipeline.fingerprint()
    assert pipeline.fingerprint() == first
    Model.version = "2"

    assert pipeline.fingerprint() != first


def test_a_factory_that_raises_fails_the_job_and_is_tried_again(registry_of: Any) -> None:
    attempts: list[int] = []

    def factory() -> Any:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no model file")
        return lambda payload: {"ok": True}

    registry = registry_of(model=factory)

    with pytest.raises(PipelineError, match="'model' cannot be built: OSError: no model file"):
        registry.run_pipeline("model", PAYLOAD)
    assert registry.run_pipeline("model", PAYLOAD) == {"ok": True}


def test_a_module_that_cannot_be_imported_fails_the_job() -> None:
    registry = PipelineRegistry([EntryPoint("lost", "no_such_module:f", ENTRY_POINT_GROUP)])

    with pytest.raises(PipelineError, match="'lost' cannot be built: ModuleNotFoundError"):
        registry.run_pipeline("lost", PAYLOAD)


def test_a_factory_that_returns_something_else_than_a_callable(registry_of: Any) -> None:
    registry = registry_of(odd=lambda: 42)

    with pytest.raises(PipelineError, match="its factory returned int, which cannot be called"):
        registry.run_pipeline("odd", PAYLOAD)


@pytest.mark.parametrize("answer", [None, [], "text", (("a", 1),), PAYLOAD.items()])
def test_an_answer_that_is_no_dict(registry_of: Any, answer: Any) -> None:
    registry = registry_of(odd=answering(answer))

    with pytest.raises(PipelineError, match=r"'odd' answered frame 7 with .* instead of dict"):
        registry.run_pipeline("odd", PAYLOAD)


def test_an_answer_that_is_no_json_fails_at_its_frame(registry_of: Any) -> None:
    registry = registry_of(leaky=lambda: dict)

    with pytest.raises(ResultError, match=r"frame 7 is not JSON: result\['image_bytes'\]"):
        registry.run_pipeline("leaky", PAYLOAD)


def test_what_a_pipeline_raises_comes_through(registry_of: Any) -> None:
    def pipeline(payload: Mapping[str, Any]) -> dict[str, Any]:
        raise LookupError("nothing there")

    registry = registry_of(failing=lambda: pipeline)

    with pytest.raises(LookupError, match="nothing there"):
        registry.run_pipeline("failing", PAYLOAD)


def test_of_two_packages_with_one_name_the_first_is_used_and_both_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = EntryPoint("same", "builtins:dict", ENTRY_POINT_GROUP)
    second = EntryPoint("same", "builtins:list", ENTRY_POINT_GROUP)

    with caplog.at_level(logging.WARNING):
        registry = PipelineRegistry([first, second, first])

    assert registry.ids() == ["same"]
    assert [record.getMessage() for record in caplog.records] == [
        "Two packages offer the pipeline 'same': builtins:dict is used, builtins:list is not"
    ]
