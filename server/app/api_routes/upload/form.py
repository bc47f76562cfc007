"""A multipart/form-data body with one file in it, read piece by piece.

A form as clients write it (RFC 7578, RFC 2046 section 5.1): of a part its name alone counts, so
whatever else a header says is neither decoded nor judged. What may grow is held against a limit.
"""

import time
from collections.abc import Callable, Iterator

from python_multipart.multipart import parse_options_header

from app.api_routes.upload.uncached_file import BLOCK_BYTES, BlockMemory
from app.core.errors import InvalidUpload, UploadTooLarge
from app.lent_socket import LentSocket

KIB = 1024
PIECE_BYTES = 768 * KIB  # received by a thread, and written at once
MAX_PARTS = 16
MAX_BOUNDARY_BYTES = 256
MAX_HEADER_BYTES = 16 * KIB  # of one part
MAX_OVERHEAD_BYTES = 64 * KIB  # all that is not the file: delimiters, headers, fields

EMPTY_LINE = b"\r\n\r\n"
FILE = "file"
FIELDS = ("pipeline_id",)
NO_DELIMITER = "No line of the form begins with the boundary that its content type names."
NO_END_OF_HEADERS = (
    f"The headers of a part do not end within {MAX_HEADER_BYTES} bytes; the lines of a form end in "
    "CRLF, and an empty one ends headers."
)


class MultipartForm:
    """`feed` takes the body as it comes in, and gives what it held of the file.

    `fields` are the texts of FIELDS; `file_size` counts the bytes of the file so far, None before
    it begins. `check_head` is called once with the first `head_bytes` of the file, or with all of
    it when it is shorter, and raises to refuse it.

    Raises, from every method:
        InvalidUpload: the body is not well-formed, or holds more than a form of this kind needs.
        UploadTooLarge: the file is larger than `max_file_bytes`.
    """

    def __init__(
        self,
        content_type: str,
        *,
        max_file_bytes: int,
        head_bytes: int,
        check_head: Callable[[bytes], None],
    ) -> None:
        self.fields: list[tuple[str, str]] = []
        self.file_size: int | None = None
        self._max_file_bytes = max_file_bytes
        self._head_bytes = head_bytes
        self._check_head = check_head
        self._head: bytearray | None = bytearray()
        self._file_data: list[memoryview] = []
        self._body_bytes = 0
        self._parts = 0
        self._delimiter = b"\r\n--" + boundary_of(content_type)
        self._unread = b"\r\n"  # the first delimiter may lack the line's end before it
        self._in_header = False
        self._field: str | None = None
        self._value = bytearray()
        self._in_file = False
        self._complete = False

    def feed(self, chunk: bytes) -> list[memoryview]:
        """The bytes of the file that are in the next chunk of the body, and of the one before if
        it was not known what they are."""
        self._body_bytes += len(chunk)
        data, self._unread = self._unread + chunk if self._unread else chunk, b""
        at = 0
        while at < len(data) and not self._complete:
            at = self._read_header(data, at) if self._in_header else self._read_content(data, at)
        if self._body_bytes - (self.file_size or 0) > MAX_OVERHEAD_BYTES:
            raise InvalidUpload(
                "The form holds too much besides the file." if self._parts else NO_DELIMITER
            )
        file_data, self._file_data = self._file_data, []
        return file_data

    def feed_from(self, connection: LentSocket, seconds: float) -> Iterator[memoryview]:
        """The same of what comes over the connection quickly, for no longer than that; each is
        gone when the next is asked for. Most are whole blocks of the file, and begin in memory
        where a block may. Blocks."""
        until = time.monotonic() + seconds
        blocks = BlockMemory(PIECE_BYTES)
        while count := connection.read_into(blocks.view[: self._up_to_a_block()], until):
            if self._goes_on_with_file(blocks, count):
                self._body_bytes += count
                yield self._count_file_data(blocks.view[:count])
            else:
                yield from self.feed(bytes(blocks.view[:count]))

    def finish(self) -> None:
        """Call when the body has ended."""
        if self._complete:
            return
        if self._in_header:
            raise InvalidUpload(NO_END_OF_HEADERS)
        raise InvalidUpload(
            "The form ends before its closing delimiter." if self._parts else NO_DELIMITER
        )

    def _read_content(self, data: bytes, start: int) -> int:
        """Read up to the end of the next delimiter, or of the data; where that is."""
        end = data.find(self._delimiter, start)
        if end >= 0:
            self._add(data, start, end)
            self._end_part()
            self._in_header = True
            return end + len(self._delimiter)
        end = beginning_at_the_end(data, start, self._delimiter)
        self._add(data, start, end)
        self._unread = data[end:]
        return len(data)

    def _read_header(self, data: bytes, start: int) -> int:
        """Read what follows a delimiter up to an empty line, which may be the first after it."""
        if data.startswith(b"--", start):
            self._complete = True
            return len(data)
        end = data.find(EMPTY_LINE, start)
        if (len(data) if end < 0 else end) - start > MAX_HEADER_BYTES:
            raise InvalidUpload(NO_END_OF_HEADERS)
        if end < 0:
            self._unread = data[start:]
            return len(data)
        self._begin_part(data[start:end])
        self._in_header = False
        return end + len(EMPTY_LINE)

    def _up_to_a_block(self) -> int:
        """What completes a block of the file, or else a piece."""
        return -(self.file_size or 0) % BLOCK_BYTES or PIECE_BYTES

    def _goes_on_with_file(self, blocks: BlockMemory, count: int) -> bool:
        """Whether all of it belongs to the file, and nothing else is to be thought of."""
        if not self._in_file or self._unread or self._head is not None:
            return False
        if blocks.find(self._delimiter, count) >= 0:
            return False
        end = bytes(blocks.view[max(0, count - len(self._delimiter)) : count])
        return beginning_at_the_end(end, 0, self._delimiter) == len(end)

    def _begin_part(self, header: bytes) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidUpload(f"The form has more than {MAX_PARTS} parts.")
        name, has_filename = name_in(header)
        self._in_file = name == FILE
        if self._in_file:
            if self.file_size is not None:
                raise InvalidUpload("The form has more than one file; send one at a time.")
            self.file_size = 0
        elif name in FIELDS:
            self._field = name
        elif name is None:
            raise InvalidUpload(f"A part of the form has no name; that of the video is {FILE!r}.")
        elif has_filename:
            raise InvalidUpload(f"The part with a file is named {name[:50]!r}, not {FILE!r}.")

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            if start < end:
                self._add_file_data(memoryview(data)[start:end])
        elif self._field is not None:
            self._value += data[start:end]

    def _add_file_data(self, data: memoryview) -> None:
        self._count_file_data(data)
        if self._head is not None:
            self._head += data[: self._head_bytes - len(self._head)]
            if len(self._head) == self._head_bytes:
                self._judge_head()
        self._file_data.append(data)

    def _count_file_data(self, data: memoryview) -> memoryview:
        assert self.file_size is not None
        self.file_size += len(data)
        if self.file_size > self._max_file_bytes:
            raise UploadTooLarge.than(self._max_file_bytes)
        return data

    def _judge_head(self) -> None:
        if self._head is not None:
            head, self._head = bytes(self._head), None
            self._check_head(head)

    def _end_part(self) -> None:
        if self._in_file:
            self._judge_head()
        elif self._field is not None:
            self.fields.append((self._field, self._value.decode(errors="replace")))
        self._in_file, self._field, self._value = False, None, bytearray()


def boundary_of(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise InvalidUpload("The request must be a multipart/form-data form.")
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidUpload("The form's content type names no boundary.")
    if len(boundary) > MAX_BOUNDARY_BYTES:
        raise InvalidUpload(f"The form's boundary is longer than {MAX_BOUNDARY_BYTES} bytes.")
    return boundary


def beginning_at_the_end(data: bytes, start: int, delimiter: bytes) -> int:
    """Where the end of `data` may be the beginning of a delimiter; its length if it is none."""
    # A delimiter has its one carriage return in front.
    found = data.rfind(b"\r", max(start, len(data) - len(delimiter) + 1))
    return found if found >= 0 and delimiter.startswith(data[found:]) else len(data)


def name_in(header: bytes) -> tuple[str | None, bool]:
    """The name of a part, and whether it has a filename, encoded or not."""
    disposition = headers_in(header).get(b"content-disposition", b"")
    _, options = parse_options_header(disposition)
    name = options.get(b"name")
    has_filename = bool(options.get(b"filename")) or b"filename*" in disposition.lower()
    return None if name is None else name.decode(errors="replace"), has_filename


def headers_in(header: bytes) -> dict[bytes, bytes]:
    """What follows a delimiter: padding to the end of its line, and lines that may be folded."""
    unfolded = header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    padding, *lines = unfolded.split(b"\r\n")
    if padding.strip(b" \t"):
        raise InvalidUpload("A line of the form begins with its delimiter, and goes on.")
    found = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise InvalidUpload("A header of the form has no colon.")
        found[name.strip().lower()] = value
    return found
