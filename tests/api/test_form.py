from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.api_routes.upload.form import (
    MAX_HEADER_BYTES,
    MAX_OVERHEAD_BYTES,
    MAX_PARTS,
    MultipartForm,
)
from app.core.errors import InvalidUpload, UploadTooLarge

DELIMITER = b"\r\n--bound"
CONTENT_TYPE = "multipart/form-data; boundary=bound"
MAX_FILE_BYTES = 100_000
HEAD_BYTES = 12


@dataclass
class Received:
    fields: list[tuple[str, str]]
    content: bytes | None
    heads: list[bytes]


def part(name: str, content: bytes, *, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content


def file(content: bytes) -> bytes:
    return part("file", content, filename="video.mp4")


def body(*parts: bytes) -> bytes:
    delimited = b"".join(DELIMITER + b"\r\n" + part for part in parts)
    return delimited.removeprefix(b"\r\n") + DELIMITER + b"--\r\n"


def cut(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(offsets), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def receive(*chunks: bytes, content_type: str = CONTENT_TYPE) -> Received:
    heads: list[bytes] = []
    form = MultipartForm(
        content_type,
        max_file_bytes=MAX_FILE_BYTES,
        head_bytes=HEAD_BYTES,
        check_head=heads.append,
    )
    content = b""
    for chunk in chunks:
        content += b"".join(form.feed(chunk))
    form.finish()
    if form.file_size is None:
        return Received(form.fields, None, heads)
    assert form.file_size == len(content)
    return Received(form.fields, content, heads)


# Everything that looks like the beginning of a delimiter, and is none.
TRICKY = [DELIMITER[:length] for length in range(1, len(DELIMITER))]
TRICKY_CONTENT = b"12 first bytes" + b"\r".join([*TRICKY, *reversed(TRICKY), b"--bound--", b"end"])


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("file_first", [False, True])
def test_a_body_may_be_cut_anywhere(file_first: bool, loose: bool) -> None:
    parts = [part("pipeline_id", b"ocr"), file(TRICKY_CONTENT)]
    whole = body(*(reversed(parts) if file_first else parts))
    if loose:  # as RFC 2046 allows
        whole = b"preamble\r\n" + whole.replace(b"bound\r\n", b"bound \t\r\n") + b" \r\nepilogue"
    expected = Received([("pipeline_id", "ocr")], TRICKY_CONTENT, [TRICKY_CONTENT[:HEAD_BYTES]])
    for offset in range(len(whole) + 1):
        assert receive(*cut(whole, [offset])) == expected
    assert receive(*cut(whole, range(len(whole)))) == expected


@given(
    content=st.lists(st.sampled_from([*TRICKY, b"--", b"x", b"\0" * 50])).map(b"".join),
    value=st.text(max_size=50).filter(lambda text: "\r\n--bound" not in text),
    data=st.data(),
)
def test_what_was_sent_arrives(content: bytes, value: str, data: st.DataObject) -> None:
    assume(DELIMITER not in content)
    whole = body(file(content), part("pipeline_id", value.encode()))
    offsets = data.draw(st.lists(st.integers(0, len(whole))))
    received = receive(*cut(whole, offsets))
    assert received == Received([("pipeline_id", value)], content, [content[:HEAD_BYTES]])


def test_without_a_file_there_is_none() -> None:
    whole = body(part("pipeline_id", b"1"), part("ignored", b"2"), part("pipeline_id", b""))
    assert receive(whole) == Received([("pipeline_id", "1"), ("pipeline_id", "")], None, [])


def test_a_body_that_stops_early_is_not_finished() -> None:
    whole = body(part("pipeline_id", b"ocr"), file(b"content")).removesuffix(b"\r\n")
    receive(whole)
    for length in range(len(whole)):
        with pytest.raises(InvalidUpload):
            receive(whole[:length])


def test_a_refused_head_ends_the_form_at_once() -> None:
    def refuse(head: bytes) -> None:
        raise InvalidUpload(f"not {head!r}")

    form = MultipartForm(
        CONTENT_TYPE, max_file_bytes=MAX_FILE_BYTES, head_bytes=4, check_head=refuse
    )
    until_the_head = body(file(b"wrong")).partition(b"wrong")[0]
    form.feed(until_the_head + b"wro")
    with pytest.raises(InvalidUpload, match="not b'wron'"):
        form.feed(b"n")


@pytest.mark.parametrize("chunk_bytes", [1000, MAX_FILE_BYTES, 2 * MAX_FILE_BYTES])
def test_exactly_the_limit_passes(chunk_bytes: int) -> None:
    def send(size: int) -> Received:
        whole = body(file(bytes(size)))
        return receive(*cut(whole, range(chunk_bytes, len(whole), chunk_bytes)))

    assert send(MAX_FILE_BYTES).content == bytes(MAX_FILE_BYTES)
    with pytest.raises(UploadTooLarge, match=str(MAX_FILE_BYTES)):
        send(MAX_FILE_BYTES + 1)


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (body(*[part(f"n{n}", b"") for n in range(MAX_PARTS + 1)]), "more than 16 parts"),
        (body(part("a", bytes(MAX_OVERHEAD_BYTES))), "too much besides"),
        (body(file(b"a"), file(b"b")), "more than one file"),
        (body(part("other", b"a", filename="video.mp4")), "named 'other', not 'file'"),
        (body(b"Content-Type: text/plain\r\n\r\nx"), "no name"),
        (body(b"Content-Disposition: form-data\r\n\r\nx"), "no name"),
        (body(b"\r\nx"), "no name"),
        (body(b"no colon\r\n\r\nx"), "no colon"),
        (body(b"a:" + b"b" * MAX_HEADER_BYTES + b"\r\n\r\nx"), "do not end within 16384 bytes"),
        (body(file(b"a")).replace(b"\r\n", b"\n"), "lines of a form end in CRLF"),
        (b"--boundary\r\n\r\n", "begins with its delimiter, and goes on"),
        (bytes(MAX_OVERHEAD_BYTES) + body(file(b"a")), "No line of the form"),
        (body(file(b"a")) + bytes(MAX_OVERHEAD_BYTES), "too much besides"),
        (b"", "No line of the form"),
    ],
)
def test_malformed(whole: bytes, reason: str) -> None:
    with pytest.raises(InvalidUpload, match=reason):
        receive(whole)
    with pytest.raises(InvalidUpload):
        receive(*cut(whole, range(0, len(whole), 1000)))


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("", "must be a multipart/form-data form"),
        ("multipart/mixed; boundary=bound", "must be a multipart/form-data form"),
        ("multipart/form-data", "names no boundary"),
        ("multipart/form-data; boundary=", "names no boundary"),
        (f"multipart/form-data; boundary={'b' * 300}", "longer than 256 bytes"),
    ],
)
def test_content_types(content_type: str, reason: str) -> None:
    with pytest.raises(InvalidUpload, match=reason):
        receive(content_type=content_type)
