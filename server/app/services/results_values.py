"""What becomes of the values that orjson does not write by itself, or writes otherwise.

Numbers of an array are written alike whatever its memory layout and byte order: by orjson, from a
contiguous copy. It would write them so by itself only where none is needed, and of datetime64 drop
nanoseconds and invent a time for NaT.
"""

import sys
from array import array
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import singledispatch
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic import BaseModel

if TYPE_CHECKING:
    import numpy as np

HALF, DOUBLE = 2, 8  # bytes
COARSE = {"Y", "M", "W", "D", "h", "m"}
"""Units of datetime64 that are written with less than a second."""
NO_LENGTH = {"Y", "M", "generic"}
"""Units of timedelta64 that are of no certain number of seconds."""


class Unwritable(Exception):
    """Goes on where the name of the value ends: `is of type bytes`."""


@singledispatch
def plain(value: Any) -> object:
    """A step towards what orjson writes: what it stands for, or is made of.

    Raises:
        Unwritable: there is no such thing.
        Exception: what the value itself raises.
    """
    if hasattr(value, "tolist"):
        return _of_array(value)
    if value is getattr(sys.modules.get("pandas"), "NA", plain):
        return None
    raise Unwritable(f"is of type {type(value).__name__}")


for kind in (PurePath, Fraction, UUID):
    plain.register(kind, str)
plain.register(tuple, list)
plain.register(float, float.__float__)
plain.register(BaseModel, BaseModel.model_dump)


@plain.register(date)
@plain.register(time)
def _moment(value: date | time) -> str | None:
    if value != value:  # pandas.NaT, which is a datetime
        return None
    if isinstance(value, time) and value.tzinfo is not None and value.utcoffset() is None:
        raise Unwritable("is a time in a zone that has no certain offset without a date")
    return value.isoformat()


@plain.register
def _seconds(value: timedelta) -> float:
    return value.total_seconds()


@plain.register
def _decimal(value: Decimal) -> str | None:
    return str(value) if value.is_finite() else None


@plain.register(array)
@plain.register(memoryview)
def _of_array(value: Any) -> object:
    """Of numpy's arrays and scalars, and of all that becomes one or has a `tolist`."""
    import numpy as np  # loaded already by whoever has made the value

    if isinstance(value, np.ma.MaskedArray):
        return _of_masked(value)
    if hasattr(getattr(value, "dtype", None), "na_value"):  # a type of pandas' own
        return value.tolist()
    try:
        numbers = np.asarray(value)
    except (TypeError, RuntimeError):  # tensors that are elsewhere, or of a type of their own
        return value.tolist()
    if not hasattr(value, "__array__") and numbers.dtype == object:
        return value.tolist()
    return _of_ndarray(numbers)


def _of_masked(value: Any) -> object:
    import numpy as np

    match value.dtype.kind:
        case "f":
            return _of_ndarray(value.filled(np.nan))
        case "m" | "M":
            return _of_ndarray(value.filled(np.array("NaT", value.dtype)))
    return value.tolist()


def _of_ndarray(values: "np.ndarray[Any, Any]") -> object:
    match values.dtype.kind:
        case "b" | "i" | "u":
            return _numbers(values)
        case "f":
            return _numbers(_as_double(values))
        case "M":
            return _moments(values)
        case "m":
            return _numbers(_in_seconds(values))
        case "V" if values.dtype.names:
            return _records(values)
        case "c" | "S" | "V":
            raise Unwritable(f"is of the numpy type {values.dtype}")
    return values.tolist()


def _numbers(values: "np.ndarray[Any, Any]") -> orjson.Fragment:
    import numpy as np

    native = np.require(values, values.dtype.newbyteorder("="), "C")
    return orjson.Fragment(orjson.dumps(native[()], option=orjson.OPT_SERIALIZE_NUMPY))


def _as_double(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Those of 4 and 8 bytes, of which orjson writes the fewest digits that read back, as they are;
    of 2 bytes, numpy has them."""
    import numpy as np

    if values.dtype.itemsize == HALF:
        return values.astype(str).astype(np.float64)
    if values.dtype.itemsize <= DOUBLE:
        return values
    with np.errstate(over="raise"):
        return values.astype(np.float64)


def _in_seconds(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import numpy as np

    unit, _ = np.datetime_data(values.dtype)
    if unit in NO_LENGTH and not np.isnat(values).all():
        raise Unwritable(f"is of the numpy type {values.dtype}, of no certain number of seconds")
    return np.asarray(values / np.timedelta64(1, "s"))


def _moments(values: "np.ndarray[Any, Any]") -> object:
    return [_moments(inner) for inner in values] if values.ndim else _iso(values)


def _iso(moment: "np.ndarray[Any, Any]") -> str | None:
    """As `datetime.isoformat` writes it, with more digits where there are."""
    import numpy as np

    if np.isnat(moment):
        return None
    unit, _ = np.datetime_data(moment.dtype)
    whole, _, digits = str(moment.astype("M8[s]") if unit in COARSE else moment).partition(".")
    digits = digits.rstrip("0")
    return f"{whole}.{digits.ljust(max(6, -(-len(digits) // 3) * 3), '0')}" if digits else whole


def _records(values: "np.ndarray[Any, Any]") -> object:
    if values.ndim:
        return [_records(inner) for inner in values]
    return {name: values[name] for name in values.dtype.names or ()}
