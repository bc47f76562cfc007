"""What is not an MP4 is refused by its first bytes."""

import pytest

from tests.support.server import ServerProcess
from tests.support.uploads import END, FTYP, form_before_file, request_head, send

BEFORE = form_before_file()
TO_COME = 2 * 1024 * 1024

WRONG = {
    "playlist": b"#EXTM3U\n#ftyp and more",
    "list of other files": b"ffconcat version 1.0\n# ftypisom\nfile 'other.mp4'\n",
    "at offset 5": b"\0" + FTYP,
    "box of 0": b"\x00\x00\x00\x00" + FTYP[4:],
    "box of 1": b"\x00\x00\x00\x01" + FTYP[4:],
    "box of 13": b"\x00\x00\x00\x0d" + FTYP[4:],
    "box of 2 GiB": b"\x80\x00\x00\x00" + FTYP[4:],
    **{
        brand: FTYP.replace(b"isom", brand.encode(), 1)
        for brand in [
            *("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis"),
            *("M4A ", "M4B ", "qt  ", "jp2 ", "jpx ", "jpm ", "mjp2"),
        ]
    },
}


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_refused_while_the_rest_is_still_to_come(server: ServerProcess, content: bytes) -> None:
    head = request_head(len(BEFORE) + len(content) + TO_COME + len(END))
    answer = send(server.port, head, BEFORE, content)
    assert answer.status == 400
    assert answer.detail.startswith("The file is not an MP4 video: ")
    assert answer.headers["connection"] == "close"


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize(
    ("content", "detail"),
    [(b"", "The file is empty."), (FTYP[:7], "The file is not an MP4 video: ")],
    ids=["empty", "7 bytes"],
)
def test_shorter_than_a_signature(server: ServerProcess, content: bytes, detail: str) -> None:
    body = BEFORE + content + END
    answer = send(server.port, request_head(len(body)), body)
    assert answer.status == 400
    assert answer.detail.startswith(detail)


@pytest.mark.usefixtures("nothing_is_left")
def test_judged_though_it_comes_byte_by_byte(server: ServerProcess) -> None:
    content = WRONG["playlist"]
    head = request_head(len(BEFORE) + len(content) + TO_COME + len(END))
    pieces = [bytes([byte]) for byte in BEFORE + content[:12]]
    assert send(server.port, head, *pieces).status == 400


@pytest.mark.parametrize("brand", [b"isom", b"iso6", b"mp41", b"mp42", b"avc1", b"3gp5", b"dash"])
def test_other_brands_pass(server: ServerProcess, brand: bytes) -> None:
    body = BEFORE + FTYP.replace(b"isom", brand, 1) + END
    assert send(server.port, request_head(len(body)), body).status == 200
