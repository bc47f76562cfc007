"""Hostile multipart bodies end in a 4xx within a second, and leave nothing."""

import time
from collections.abc import Iterator
from typing import Literal

import pytest

from tests.faults.uploads.stored import files, jobs, videos
from tests.support.pipelines import READY
from tests.support.server import ServerProcess
from tests.support.uploads import (
    BOUNDARY,
    END,
    FTYP,
    field,
    file_part,
    form,
    request_head,
    send,
    submit_form,
)

SECONDS = 4 * 1.0
PIPELINE = field("pipeline_id", b"nothing")
VIDEO = file_part() + FTYP
ORDINARY = form(PIPELINE, VIDEO)


@pytest.fixture(scope="module", params=["h11", None], ids=["h11", "ours"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    http: Literal["h11"] | None = request.param
    folder = tmp_path_factory.mktemp("server")
    with ServerProcess(folder / "data", http=http, plugins=[READY]) as server:
        yield server
        server.stop()
        assert files(server.data_dir) == videos(jobs(server.data_dir))


def headers(count: int, value: str = "") -> bytes:
    lines = "".join(f"X-Header-{number}: {value}\r\n" for number in range(count)).encode()
    return file_part().removesuffix(b"\r\n") + lines + b"\r\n" + FTYP


HOSTILE_FORMS = {
    "1,500 parts": form(*[field(f"field{n}", b"x") for n in range(1500)], PIPELINE, VIDEO),
    "5,000 part headers": form(PIPELINE, headers(5000)),
    "a part header of 100 kB": form(PIPELINE, headers(1, "x" * 100_000)),
    "a field of 2 MB": form(field("pipeline_id", b"x" * 2_000_000), VIDEO),
    "200 fields of 1 kB": form(*[field("x", b"x" * 1000)] * 200, PIPELINE, VIDEO),
    "two files": form(PIPELINE, VIDEO, VIDEO),
    "two files of two names": form(PIPELINE, VIDEO, file_part(name="other") + FTYP),
    "a file under another name": form(PIPELINE, file_part(name="other") + FTYP),
    "a field as a file": form(file_part(name="pipeline_id") + FTYP, field("file", b"x")),
    "no file": form(PIPELINE),
    "no pipeline": form(VIDEO),
    "no part": END,
    "nothing": b"",
    "no closing delimiter": ORDINARY.removesuffix(END),
    "cut in the file": ORDINARY[: -len(END) - 5],
    "cut in the headers": ORDINARY[: ORDINARY.index(b"video.mp4")],
    "no delimiter at all": b"x" * 1000,
    "a megabyte before the first delimiter": b"\r\n" * 500_000 + ORDINARY,
    "a megabyte after the last delimiter": ORDINARY + bytes(1_000_000),
    "a header without a colon": ORDINARY.replace(b"Content-Type:", b"Content-Type"),
    "a part without a name": ORDINARY.replace(b' name="file";', b""),
    "a field that is not UTF-8": form(field("pipeline_id", b"\xff\xfe"), VIDEO),
}


CONTENT_TYPES = {
    "no boundary": "multipart/form-data",
    "an empty boundary": "multipart/form-data; boundary=",
    "a boundary of 300 bytes": f"multipart/form-data; boundary={'b' * 300}",
    "another boundary": "multipart/form-data; boundary=another",
    "not UTF-8": "multipart/form-data; boundary=\xff\xfe",
    "another kind of multipart": f"multipart/mixed; boundary={BOUNDARY}",
    "an ordinary form": "application/x-www-form-urlencoded",
    "JSON": "application/json",
    "nothing": "",
}

CONTENT_LENGTHS = {
    "negative": [b"-1"],
    "two": [b"%d" % len(ORDINARY), b"%d" % (len(ORDINARY) + 1)],
    "a list of two": [b"%d, %d" % (len(ORDINARY), len(ORDINARY) + 1)],
    "no number": [b"many"],
    "5,000 digits": [b"9" * 5000],
    "too small": [b"%d" % (len(ORDINARY) - 10)],
}


@pytest.fixture
def nothing_is_left_in_time(server: ServerProcess) -> Iterator[None]:
    before, began = files(server.data_dir), time.monotonic()
    yield
    assert time.monotonic() - began < SECONDS
    assert files(server.data_dir) == before
    assert "ERROR" not in server.log()


@pytest.mark.usefixtures("nothing_is_left_in_time")
@pytest.mark.parametrize("body", HOSTILE_FORMS.values(), ids=HOSTILE_FORMS)
def test_hostile_form(server: ServerProcess, body: bytes) -> None:
    answer = send(server.port, request_head(len(body)), body)
    assert 400 <= answer.status < 500
    assert answer.detail


@pytest.mark.usefixtures("nothing_is_left_in_time")
@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES)
def test_wrong_content_type(server: ServerProcess, content_type: str) -> None:
    head = request_head(len(ORDINARY), content_type=content_type)
    answer = send(server.port, head, ORDINARY)
    assert answer.status == 400
    assert answer.detail


@pytest.mark.usefixtures("nothing_is_left_in_time")
@pytest.mark.parametrize("values", CONTENT_LENGTHS.values(), ids=CONTENT_LENGTHS)
def test_wrong_content_length(server: ServerProcess, values: list[bytes]) -> None:
    """uvicorn refuses most of these by itself, in plain text."""
    right = b"Content-Length: %d\r\n" % len(ORDINARY)
    wrong = b"".join(b"Content-Length: %s\r\n" % value for value in values)
    answer = send(server.port, request_head(len(ORDINARY)).replace(right, wrong), ORDINARY)
    assert 400 <= answer.status < 500


@pytest.mark.parametrize("parts", [(PIPELINE, VIDEO), (VIDEO, PIPELINE)])
def test_fields_come_in_either_order(server: ServerProcess, parts: tuple[bytes, bytes]) -> None:
    assert submit_form(server.port, *parts).status == 200
