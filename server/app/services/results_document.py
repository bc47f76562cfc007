"""The results document of a job, as strict JSON (RFC 8259).

A dict with str keys, list, tuple, str, bool, None, float, int of up to 64 bits, dataclass, enum and
UUID is written by orjson, other values as `results_values` says. Refused are those that it knows
nothing of, such as bytes and sets; keys that are not str (of a subclass, neither), integers beyond
64 bits, strings with lone surrogates, what refers to itself or is nested too deep, and what raises
when it is converted.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson

from app.core.errors import ResultError
from app.services.results_values import Unwritable, plain

MAX_DEPTH = 254
"""How deep lists and objects can nest: orjson's bound."""
HEAD = b'{"job_id":"%s","results":['
TAIL = b"\n]}\n"
PIECE_BYTES = 1 << 20
MAX_FOREIGN_BYTES = 1 << 20
"""The largest document that is parsed because it has another layout than ours."""


def as_json(answer: Mapping[str, Any], frame_index: int) -> dict[str, Any]:
    """Return a copy of a pipeline's answer made of JSON's types only.

    Raises:
        ResultError: names the frame and the offending key.
    """
    converted: dict[str, Any] = orjson.loads(encode(answer, frame_index))
    return converted


def encode(answer: Mapping[str, Any], frame_index: int) -> bytes:
    """A pipeline's answer as JSON.

    Raises:
        ResultError: names the frame and the offending key.
    """
    # As deep inside something as in the document, since there is a bound to that.
    return _dump({"result": answer}, frame_index)[len(b'{"result":') : -len(b"}")]


def write_results(path: Path, job_id: UUID, results: Iterable[Mapping[str, Any]]) -> None:
    """Write `{"job_id": ..., "results": [...]}`, replacing what is at `path`.

    Each element, `{"frame_index": int, "result": dict}`, goes to the file on its own and on a line
    of its own. When this returns, the file is flushed and fsynced; its directory entry is not.

    Raises:
        ResultError: an element cannot be JSON. The torn file is left to the caller, also after
            an OSError.
    """
    with path.open("wb") as file:
        file.write(HEAD % str(job_id).encode())
        separator = b"\n"
        for element in results:
            file.write(separator)
            file.write(_dump(element, element["frame_index"]))
            separator = b",\n"
        file.write(TAIL)
        file.flush()
        os.fsync(file.fileno())


def is_whole_results(path: Path, job_id: UUID) -> bool:
    """Whether `path` holds a complete results document of that job; reads all of it, in pieces.

    A document of `write_results` need not be parsed. It has its name only since it was flushed, so
    if anything is wrong, then its end is missing, or pages of it were never written and read as
    zeros. Its end occurs nowhere else in it: JSON has no line break within a string. A small one
    of another layout is parsed.
    """
    head = HEAD % str(job_id).encode() + b"\n"
    try:
        with path.open("rb") as file:
            if file.readline(len(head)) == head:
                return _has_its_end(file)
            file.seek(0)
            return _is_results(file.read(MAX_FOREIGN_BYTES), job_id)
    except FileNotFoundError:
        return False


def _has_its_end(file: BinaryIO) -> bool:
    end = b"\n"
    while piece := file.read(PIECE_BYTES):
        if b"\0" in piece:
            return False
        end = (end + piece[-len(TAIL) :])[-len(TAIL) :]
    return end == TAIL


def _is_results(text: bytes, job_id: UUID) -> bool:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return (
        isinstance(document, dict)
        and document.keys() == {"job_id", "results"}
        and document["job_id"] == str(job_id)
        and isinstance(document["results"], list)
    )


def _dump(element: Mapping[str, Any], frame_index: int) -> bytes:
    try:
        return _encode(element)
    except orjson.JSONEncodeError as error:
        where, why = _find_fault(element["result"])
        raise ResultError(
            f"The result of frame {frame_index} is not JSON: {where} {why}."
        ) from error


def _encode(value: object) -> bytes:
    return orjson.dumps(value, default=plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _find_fault(value: object) -> tuple[str, str]:
    """Where a value that cannot be encoded has its fault, as a path of keys, and which."""
    where = "result"
    for _ in range(MAX_DEPTH):
        try:
            children = list(_children(value))
        except Unwritable as fault:
            return f"{where:.100}", str(fault)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return f"{where:.100}", f"cannot be converted: {reason:.100}"
        for step, child in children:
            if not _can_encode(child):
                where, value = where + step, child
                break
        else:
            return f"{where:.100}", _fault(value)
    return f"{where:.100}...", "refers to itself or is nested too deep"


def _fault(value: object) -> str:
    """Why a value cannot be encoded although each of its children can."""
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                return f"has the key {key!r:.50} of type {type(key).__name__}"
            if not _can_encode(key):
                return f"has the key {key!r:.50}, which has lone surrogates"
    if isinstance(value, dict | list | tuple):
        return "is nested too deep"
    if isinstance(value, str):
        return "is a string with lone surrogates"
    return "is an integer of more than 64 bits"


def _can_encode(value: object) -> bool:
    try:
        _encode(value)
    except orjson.JSONEncodeError:
        return False
    return True


def _children(value: object) -> Iterator[tuple[str, object]]:
    """What a value is made of, or stands for; nothing of strings and integers."""
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if not field.name.startswith("_")]
        value = {name: getattr(value, name) for name in names}
    if isinstance(value, dict):
        yield from ((f"[{key!r:.50}]", child) for key, child in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{i}]", child) for i, child in enumerate(value))
    elif isinstance(value, Enum):
        yield "", value.value
    elif not isinstance(value, str | int):
        yield "", plain(value)
