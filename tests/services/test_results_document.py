import enum
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
import pytest
from pydantic import BaseModel, field_serializer

from app.core.errors import ResultError
from app.services.results_document import (
    HEAD,
    MAX_DEPTH,
    PIECE_BYTES,
    TAIL,
    as_json,
    is_whole_results,
    write_results,
)

JOB_ID = UUID("6f1c2a34-0000-4000-8000-00000000002a")


class Box(BaseModel):
    x: int
    label: str
    made_at: datetime | None = None


@dataclass
class Point:
    x: float


class Colour(enum.Enum):
    RED = "red"


class Size(NamedTuple):
    width: int
    height: int


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def strict_load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)


def written(path: Path, answer: Any) -> Any:
    write_results(path, JOB_ID, [{"frame_index": 0, "result": answer}])
    return strict_load(path)["results"][0]["result"]


def test_the_document(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results = [{"frame_index": n, "result": {"text": f"frame {n} é\n"}} for n in (0, 5, 10)]

    write_results(path, JOB_ID, iter(results))

    assert strict_load(path) == {"job_id": str(JOB_ID), "results": results}
    assert is_whole_results(path, JOB_ID)


def test_no_results(tmp_path: Path) -> None:
    path = tmp_path / "results.json"

    write_results(path, JOB_ID, [])

    assert strict_load(path) == {"job_id": str(JOB_ID), "results": []}
    assert is_whole_results(path, JOB_ID)


def test_a_longer_file_in_the_way_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"x" * 10_000)

    write_results(path, JOB_ID, [])

    assert is_whole_results(path, JOB_ID)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"a": float("nan"), "b": [float("inf"), -float("inf")]}, {"a": None, "b": [None, None]}),
        ({"a": np.float32(0.5), "b": [np.int64(7), np.bool_(True)]}, {"a": 0.5, "b": [7, True]}),
        ({"a": np.float64("nan"), "b": np.uint8(255)}, {"a": None, "b": 255}),
        ({"a": np.arange(6).reshape(2, 3)}, {"a": [[0, 1, 2], [3, 4, 5]]}),
        ({"a": np.arange(6).reshape(2, 3).T}, {"a": [[0, 3], [1, 4], [2, 5]]}),
        ({"a": np.array([1.0, np.nan, np.inf])}, {"a": [1.0, None, None]}),
        ({"a": np.array(3), "b": np.array([], np.float32)}, {"a": 3, "b": []}),
        ({"a": np.float16(0.5), "b": np.datetime64("2024-05-06")},
         {"a": 0.5, "b": "2024-05-06T00:00:00"}),
        ({"a": Box(x=1, label="one")}, {"a": {"x": 1, "label": "one", "made_at": None}}),
        ({"a": [Box(x=1, label="one", made_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))]},
         {"a": [{"x": 1, "label": "one", "made_at": "2024-05-06T07:08:09+00:00"}]}),
        ({"a": datetime(2024, 5, 6, 7, 8, 9), "b": date(2024, 5, 6)},
         {"a": "2024-05-06T07:08:09", "b": "2024-05-06"}),
        ({"a": Path("some/file.txt")}, {"a": "some/file.txt"}),
        ({"a": UUID(int=1)}, {"a": "00000000-0000-0000-0000-000000000001"}),
        ({"a": (1, 2), "b": Size(3, 4), "c": Point(1.5), "d": Colour.RED},
         {"a": [1, 2], "b": [3, 4], "c": {"x": 1.5}, "d": "red"}),
        ({"a": 2**63, "b": -(2**63), "c": "\0\u2028😀"},
         {"a": 2**63, "b": -(2**63), "c": "\0\u2028😀"}),
    ],
)  # fmt: skip
def test_what_becomes_json(tmp_path: Path, answer: Any, expected: Any) -> None:
    assert written(tmp_path / "results.json", answer) == expected
    assert as_json(answer, 0) == expected


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


class Picture(BaseModel):
    png: bytes


class Node(BaseModel):
    next: "Node | None" = None


def endless_model() -> Node:
    node = Node()
    node.next = node
    return node


class Shade(enum.StrEnum):
    DARK = "dark"


@dataclass
class Hidden:
    _hidden: Any
    shown: Any


class Unwilling:
    def tolist(self) -> list[Any]:
        raise OSError("not now")


class UnwillingModel(BaseModel):
    x: int

    @field_serializer("x")
    def refuse(self, _: int) -> int:
        raise ValueError("not now")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"image": b"\xff\xd8"}, r"result\['image'\] is of type bytes"),
        ({"a": [{"b": 1}, {"b": {1, 2}}]}, r"result\['a'\]\[1\]\['b'\] is of type set"),
        ({"a": {1: "one"}}, r"result\['a'\] has the key 1 of type int"),
        ({"a": {None: 1}}, r"result\['a'\] has the key None of type NoneType"),
        ({"a": {Shade.DARK: 1}}, r"result\['a'\] has the key .*dark.* of type Shade"),
        ({"a": {np.str_("b"): 1}}, r"result\['a'\] has the key .*'b'.* of type str_"),
        ({"a": {"\ud800": 1}}, r"result\['a'\] has the key '\\ud800', which has lone surrogates"),
        ({"a": ["fine", "\ud800"]}, r"result\['a'\]\[1\] is a string with lone surrogates"),
        ({"a": 2**64}, r"result\['a'\] is an integer of more than 64 bits"),
        ({"a": 1j}, r"result\['a'\] is of type complex"),
        ({"a": object()}, r"result\['a'\] is of type object"),
        ({"a": Picture(png=b"\x89")}, r"result\['a'\]\['png'\] is of type bytes"),
        ({"a": Point(x=b"1")}, r"result\['a'\]\['x'\] is of type bytes"),  # type: ignore[arg-type]
        ({"a": np.array([1, b"2"], object)}, r"result\['a'\]\[1\] is of type bytes"),
        ({"a": Hidden(b"1", b"2")}, r"result\['a'\]\['shown'\] is of type bytes"),
        ({"a": [endless_model()]},
         r"result\['a'\]\[0\] cannot be converted: ValueError: Circular reference"),
        ({"a": Unwilling()}, r"result\['a'\] cannot be converted: OSError: not now"),
        ({"a": UnwillingModel(x=1)}, r"result\['a'\] cannot be converted: .*not now"),
        (cycle(), "refers to itself or is nested too deep"),
        (nested(MAX_DEPTH), "is nested too deep"),
        (nested(100_000), "refers to itself or is nested too deep"),
    ],
)  # fmt: skip
def test_what_is_refused_by_frame_and_key(tmp_path: Path, answer: Any, message: str) -> None:
    good = {"frame_index": 0, "result": {}}

    with pytest.raises(ResultError, match=f"frame 12 is not JSON: .*{message}") as caught:
        write_results(tmp_path / "r.json", JOB_ID, [good, {"frame_index": 12, "result": answer}])
    with pytest.raises(ResultError, match=f"frame 12 is not JSON: .*{message}"):
        as_json(answer, 12)

    assert len(str(caught.value)) < 300


def test_fields_of_a_dataclass_with_an_underscore_are_left_out() -> None:
    assert as_json({"a": Hidden(b"1", 2)}, 0) == {"a": {"shown": 2}}


def test_what_is_nested_as_deep_as_allowed(tmp_path: Path) -> None:
    answer = nested(MAX_DEPTH - 2)

    assert written(tmp_path / "results.json", answer) == answer
    assert as_json(answer, 0) == answer


def test_as_json_makes_a_copy() -> None:
    inner = [1]
    answer = {"a": inner}

    converted = as_json(answer, 0)
    inner.append(2)

    assert converted == {"a": [1]}


class TestIsWholeResults:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "results.json"
        write_results(path, JOB_ID, [{"frame_index": 0, "result": {"text": "hello"}}])
        return path

    def test_every_torn_prefix_is_refused(self, path: Path) -> None:
        data = path.read_bytes().rstrip()
        for length in range(len(data)):
            path.write_bytes(data[:length])
            assert not is_whole_results(path, JOB_ID), length

    def test_pages_that_were_never_written(self, path: Path) -> None:
        results = [{"frame_index": index, "result": {"text": "x" * 9000}} for index in range(300)]
        write_results(path, JOB_ID, results)
        assert is_whole_results(path, JOB_ID)
        with path.open("r+b") as file:
            file.seek(PIECE_BYTES + 4096)
            file.write(bytes(4096))
        assert not is_whole_results(path, JOB_ID)

    def test_end_that_lies_across_two_pieces(self, path: Path) -> None:
        for excess in range(-1, len(TAIL) + 1):
            frame = {"frame_index": 0, "result": {"text": ""}}
            write_results(path, JOB_ID, [frame])
            head = len(HEAD % str(JOB_ID).encode()) + 1
            missing = PIECE_BYTES + excess - (path.stat().st_size - head)
            write_results(path, JOB_ID, [frame | {"result": {"text": "x" * missing}}])
            assert path.stat().st_size - head == PIECE_BYTES + excess
            assert is_whole_results(path, JOB_ID)

    def test_another_layout_when_it_is_small(self, path: Path) -> None:
        path.write_text(json.dumps({"job_id": str(JOB_ID), "results": []}, indent=1))
        assert is_whole_results(path, JOB_ID)

    def test_another_job(self, path: Path) -> None:
        assert not is_whole_results(path, uuid4())

    def test_no_file(self, tmp_path: Path) -> None:
        assert not is_whole_results(tmp_path / "missing.json", JOB_ID)

    @pytest.mark.parametrize(
        "content",
        [
            b"[]",
            b"null",
            b'{"job_id":"%s"}' % str(JOB_ID).encode(),
            b'{"job_id":"%s","results":{}}' % str(JOB_ID).encode(),
            b'{"job_id":"%s","results":[NaN]}' % str(JOB_ID).encode(),
            b'{"job_id":"%s","results":[]} trailing' % str(JOB_ID).encode(),
            b"\0" * 100,
        ],
    )
    def test_other_documents(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)

        assert not is_whole_results(path, JOB_ID)
