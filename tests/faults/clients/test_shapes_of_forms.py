"""Forms as clients write them, and what each is answered."""

import pytest

from tests.support.server import ServerProcess
from tests.support.uploads import BOUNDARY, FTYP, request_head, send

D = f"--{BOUNDARY}".encode()
DISPOSITION = b"Content-Disposition: form-data; "
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(parameters: bytes, content: bytes, *headers: bytes) -> bytes:
    """A part whose first header has these parameters, and its delimiter before it."""
    lines = [D, DISPOSITION + parameters, *headers, b"", content]
    return b"\r\n".join(lines)


def form(*parts: bytes) -> bytes:
    return b"\r\n".join([*parts, D + b"--", b""])


def named(filename: bytes) -> bytes:
    """A form whose file has a name in these bytes."""
    return form(PIPELINE, part(b'name="file"; filename="' + filename + b'"', FTYP, TYPE))


TYPE = b"Content-Type: video/mp4"
PIPELINE = part(b'name="pipeline_id"', b"nothing")
FILE = part(b'name="file"; filename="video.mp4"', FTYP, TYPE)
PLAIN = form(PIPELINE, FILE)
OTHER = part(b'name="comment"', b"x")

TAKEN = {
    "curl": PLAIN,
    "the file first": form(FILE, PIPELINE),
    "requests, without a type": form(PIPELINE, part(b'name="file"; filename="video.mp4"', FTYP)),
    ".NET": form(
        part(b"name=pipeline_id", b"nothing", b"Content-Type: text/plain; charset=utf-8"),
        part(b"name=file; filename=video.mp4; filename*=utf-8''video.mp4", FTYP),
    ),
    "OkHttp": form(
        part(b'name="pipeline_id"', b"nothing", b"Content-Length: 7"),
        part(b'name="file"; filename="video.mp4"', FTYP, TYPE, b"Content-Length: 28"),
    ),
    "Apache's HttpClient": form(
        part(b'name="pipeline_id"', b"nothing", b"Content-Transfer-Encoding: 8bit"),
        part(b'name="file"; filename="v"', FTYP, TYPE, b"Content-Transfer-Encoding: binary"),
    ),
    "a name in Latin-1": named("vidéo.mp4".encode("latin-1")),
    "a name in cp1251": named("видео.mp4".encode("cp1251")),
    "a name in GBK": named("视频.mp4".encode("gbk")),
    "a name in Shift-JIS": named("ビデオ.mp4".encode("shift-jis")),
    "a name that ends in Shift-JIS's backslash": named("表".encode("shift-jis")),
    "a name in UTF-8": named("🎬 видео.mp4".encode()),
    "a name in percents": named(b"%E8%A7%86%22.mp4"),
    "a name with quotes": named(rb"a \"quoted\" name.mp4"),
    "a name with a semicolon": named(b"a; name=other.mp4"),
    "a name with a path": named(rb"C:\videos\video.mp4"),
    "an encoded name alone": form(
        PIPELINE, part(b"name=\"file\"; filename*=UTF-8''vid%C3%A9o.mp4", FTYP, TYPE)
    ),
    "an empty name": named(b""),
    "the file's name before the part's": form(
        PIPELINE, part(b'filename="video.mp4"; name="file"', FTYP)
    ),
    "the file sent as text": form(PIPELINE, part(b'name="file"', FTYP)),
    "the pipeline sent as a file": form(
        part(b'name="pipeline_id"; filename="pipeline.txt"', b"nothing"), FILE
    ),
    "the pipeline sent as JSON": form(
        part(b'name="pipeline_id"', b"nothing", b"Content-Type: application/json"), FILE
    ),
    "headers in lower case": PLAIN.replace(b"Content-Disp", b"content-disp"),
    "headers in upper case": PLAIN.replace(DISPOSITION, b"CONTENT-DISPOSITION: FORM-DATA; "),
    "headers without spaces": PLAIN.replace(b": ", b":").replace(b"; ", b";"),
    "headers that are folded": PLAIN.replace(b"; ", b";\r\n\t"),
    "an attachment": PLAIN.replace(b"form-data; name", b"attachment; name"),
    "a preamble": b"This is a message with many parts.\r\n" + PLAIN,
    "a line's end first": b"\r\n" + PLAIN,
    "padding": PLAIN.replace(D + b"\r\n", D + b" \t \r\n"),
    "padding at the end": PLAIN.replace(D + b"--", D + b"--  "),
    "an epilogue": PLAIN + b"That was it.",
    "no line's end last": PLAIN.removesuffix(b"\r\n"),
    "an unknown field": form(OTHER, PIPELINE, OTHER, FILE, OTHER),
    "an unknown field in Latin-1": form(PIPELINE, part(b'name="\xe9"', b"\xe9"), FILE),
    "an unknown field of 30 kB": form(PIPELINE, part(b'name="comment"', bytes(30_000)), FILE),
    "an input for files left empty": form(PIPELINE, part(b'name="x"; filename=""', b""), FILE),
    "its charset as a field": form(part(b'name="_charset_"', b"utf-8"), PIPELINE, FILE),
}
REFUSED = {
    "the file under another name": (
        form(PIPELINE, part(b'name="video"; filename="video.mp4"', FTYP)),
        (400, "The part with a file is named 'video', not 'file'."),
    ),
    "two files": (form(PIPELINE, FILE, FILE), (400, "The form has more than one file; send")),
    "no file": (form(PIPELINE), (422, "file: Field required")),
    "no pipeline": (form(FILE), (422, "pipeline_id: Field required")),
    "the path of a file": (form(PIPELINE, part(b'name="file"', b"@video.mp4")), (400, "The file")),
    "a part without a name": (
        form(PIPELINE, part(b'filename="video.mp4"', FTYP, TYPE)),
        (400, "A part of the form has no name; that of the video is 'file'."),
    ),
    "a pipeline in no Unicode": (
        form(part(b'name="pipeline_id"', b"\xff"), FILE),
        (422, "There is no pipeline '\N{REPLACEMENT CHARACTER}'"),
    ),
    "line feeds alone": (PLAIN.replace(b"\r\n", b"\n"), (400, "The headers of a part do not end")),
    "another boundary": (PLAIN.replace(D, b"--other"), (400, "No line of the form begins with")),
    "no closing delimiter": (PLAIN[: -len(D) - 6], (400, "The form ends before its closing")),
}
CONTENT_TYPES = {
    "a boundary in quotes": CONTENT_TYPE.replace(BOUNDARY, f'"{BOUNDARY}"'),
    "in upper case": CONTENT_TYPE.replace(
        "multipart/form-data; boundary", "Multipart/FORM-DATA;BOUNDARY"
    ),
    "another parameter": CONTENT_TYPE.replace(";", "; charset=utf-8;"),
}


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_taken(server: ServerProcess, body: bytes) -> None:
    answer = send(server.port, request_head(len(body)), body)
    assert (server.data_dir / "video_jobs" / f"{answer.job_id}.mp4").read_bytes() == FTYP


@pytest.mark.parametrize(("body", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused_in_words(server: ServerProcess, body: bytes, expected: tuple[int, str]) -> None:
    answer = send(server.port, request_head(len(body)), body)
    assert (answer.status, answer.detail[: len(expected[1])]) == expected


@pytest.mark.parametrize("content_type", CONTENT_TYPES.values(), ids=CONTENT_TYPES)
def test_the_boundary_is_found(server: ServerProcess, content_type: str) -> None:
    head = request_head(len(PLAIN), content_type=content_type)
    assert send(server.port, head, PLAIN).job_id


@pytest.mark.parametrize("body", [form(FILE), form(FILE, PIPELINE)], ids=["alone", "overruled"])
def test_the_pipeline_may_stand_in_the_query(server: ServerProcess, body: bytes) -> None:
    query = b"?pipeline_id=" + (b"none" if PIPELINE in body else b"nothing")
    head = request_head(len(body)).replace(b"/video/submit", b"/video/submit" + query)
    assert send(server.port, head, body).job_id
