"""What each kind of value is in the results, or the sentence that refuses it."""

from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.core.errors import ResultError
from app.services.results_document import as_json

EAST = timezone(timedelta(hours=2))
BERLIN = ZoneInfo("Europe/Berlin")
MASK = [[False, True, False], [True, False, False]]


class Moment(datetime):
    pass


class Day(date):
    pass


class Share(float):
    pass


class Id(UUID):
    pass


def in_results(value: object) -> Any:
    return as_json({"a": value}, 7)["a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2024, 5, 6, 7, 8, 9), "2024-05-06T07:08:09"),
        (datetime(2024, 5, 6, 7, 8, 9, 120_000), "2024-05-06T07:08:09.120000"),
        (datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), "2024-05-06T07:08:09+00:00"),
        (datetime(2024, 5, 6, 7, 8, 9, tzinfo=BERLIN), "2024-05-06T07:08:09+02:00"),
        (Moment(2024, 5, 6), "2024-05-06T00:00:00"),
        (Moment(2024, 5, 6, tzinfo=EAST), "2024-05-06T00:00:00+02:00"),
        (datetime(2024, 5, 6, tzinfo=timezone(timedelta(seconds=61))),
         "2024-05-06T00:00:00+00:01:01"),
        (date(2024, 5, 6), "2024-05-06"),
        (Day(2024, 5, 6), "2024-05-06"),
        (time(7, 8, 9), "07:08:09"),
        (time(7, 8, 9, tzinfo=EAST), "07:08:09+02:00"),
        (timedelta(days=1, microseconds=5), 86_400.000005),
        (timedelta(seconds=-1.5), -1.5),
        (np.datetime64("2024-05-06"), "2024-05-06T00:00:00"),
        (np.datetime64("2024-05-06T07:08:09.100"), "2024-05-06T07:08:09.100000"),
        (np.datetime64("2024-05-06T07:08:09.123456789"), "2024-05-06T07:08:09.123456789"),
        (np.datetime64("NaT"), None),
        (np.array([["2024", "NaT"]], "M8[Y]"), [["2024-01-01T00:00:00", None]]),
        (np.timedelta64(1500, "ms"), 1.5),
        (np.timedelta64("NaT"), None),
        (np.array([1, "NaT"], "m8[h]"), [3600.0, None]),
        (Decimal("1.10"), "1.10"),
        (Decimal("1e400"), "1E+400"),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        (Fraction(1, 3), "1/3"),
        (np.longdouble("0.1"), 0.1),
        (np.float16(0.1), 0.1),
        (np.float32(0.1), 0.1),
        (np.array(0.1, np.float32), 0.1),
        (np.array(7), 7),
        (np.array("text"), "text"),
        (np.array([]), []),
        (np.zeros((2, 0)), [[], []]),
        (np.array([True, False])[::-1], [False, True]),
        (np.array([[0.1]], np.float32)[::-1].T, [[0.1]]),
        (np.array([2**64 - 1], np.uint64), [2**64 - 1]),
        (np.array([None, {"b": np.float32(0.1)}], object), [None, {"b": 0.1}]),
        (np.array([timedelta(1), Decimal("1.10")], object), [86_400, "1.10"]),
        (np.array([(1, 0.1)], [("a", "i4"), ("b", "f4")]), [{"a": 1, "b": 0.1}]),
        (np.ma.masked, None),
        (np.ma.array([1, 2], mask=[False, True]), [1, None]),
        (np.ma.array([0.1, 2], np.float32, mask=[False, True]), [0.1, None]),
        (np.ma.array(["2024", "2025"], "M8[D]", mask=[True, False]), [None, "2025-01-01T00:00:00"]),
        (array("f", [0.1]), [0.1]),
        (Share(0.5), 0.5),
        (Id(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_value(value: object, expected: object) -> None:
    written = in_results(value)

    assert written == expected
    assert type(written) is type(expected)


def layouts(values: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """The same values, laid out otherwise in memory."""
    yield values
    yield values.copy(order="F")
    yield values.repeat(2, axis=1)[:, ::2]
    yield values[::-1].copy()[::-1]
    yield values.astype(values.dtype.newbyteorder())
    read_only = values.view()
    read_only.flags.writeable = False
    yield read_only


@pytest.mark.parametrize(
    "kind",
    [
        *"?bBhHiIlL",
        "f2",
        "f4",
        "f8",
        "g",
        "M8[D]",
        "M8[us]",
        "M8[ns]",
        "m8[s]",
        "m8[ns]",
        "O",
        "U2",
    ],
)
@pytest.mark.parametrize("mask", [None, MASK])
def test_an_array_is_the_same_however_it_is_laid_out(kind: str, mask: Any) -> None:
    values: np.ndarray[Any, Any] = np.arange(1, 7).reshape(2, 3)
    if np.dtype(kind).kind == "f":
        values = values / 10
    values = values.astype(kind)
    if mask is not None:
        values = np.ma.array(values, mask=mask)

    expected = [
        [None if mask and mask[row][column] else in_results(values[row, column])
         for column in range(3)]
        for row in range(2)
    ]  # fmt: skip

    for layout in layouts(values):
        assert in_results(layout) == expected
    assert np.dtype(kind).kind != "f" or mask or expected == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (time(7, tzinfo=BERLIN), "is a time in a zone that has no certain offset without a date"),
        (np.array([1], "m8[M]"), "is of the numpy type timedelta64"),
        (np.timedelta64(1), "is of the numpy type timedelta64, of no certain number of seconds"),
        (np.longdouble("1e400"), "cannot be converted: FloatingPointError: overflow"),
        (np.complex64(1), "is of the numpy type complex64"),
        (np.array([b"x"]), r"is of the numpy type \|S1"),
        (np.void(b"ab"), r"is of the numpy type \|V2"),
        ([{"b": np.array([1, b"2"], object)}], r"\[0\]\['b'\]\[1\] is of type bytes"),
    ],
)
def test_what_is_refused(value: object, message: str) -> None:
    with pytest.raises(ResultError, match=rf"of frame 7 is not JSON: result\['a'\]( |){message}"):
        in_results(value)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda pd: pd.Timestamp("2024-05-06T07:08:09.123456789"), "2024-05-06T07:08:09.123456789"),
        (lambda pd: pd.Timestamp("2024-05-06", tz="UTC"), "2024-05-06T00:00:00+00:00"),
        (lambda pd: [pd.NaT, pd.NA], [None, None]),
        (lambda pd: pd.Timedelta(1500, "ms"), 1.5),
        (lambda pd: pd.Series([0.1, None], dtype="float32"), [0.1, None]),
        (lambda pd: pd.Series([2**60 + 1, None], dtype="Int64"), [2**60 + 1, None]),
        (lambda pd: pd.to_datetime(["2024-05-06", None]), ["2024-05-06T00:00:00", None]),
        (lambda pd: pd.to_datetime(["2024-05-06"], utc=True), ["2024-05-06T00:00:00+00:00"]),
    ],
)
def test_values_of_pandas(make: Callable[[Any], object], expected: object) -> None:
    pandas = pytest.importorskip("pandas")

    assert in_results(make(pandas)) == expected
