"""A multipart/form-data body with one file in it, parsed piece by piece.

The parsing itself is python-multipart's; here its events become fields and the bytes of the file,
and everything that may grow is held against a limit.
"""

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.core.errors import InvalidUpload, UploadTooLarge

KIB = 1024
MAX_PARTS = 16
MAX_FIELD_BYTES = 8 * KIB
VIEW_BYTES = 256  # what a view of the body takes, however little it shows
MAX_OVERHEAD_BYTES = 64 * KIB  # all that is not the file: delimiters, headers, fields


class FilePart:
    """The part of a form that carries the file."""

    def __init__(self, field: str, filename: str, content_type: str | None) -> None:
        self.field = field
        self.filename = filename
        self.content_type = content_type
        self.size = 0


class MultipartForm:
    """`write` takes the body as it comes in; `take_file_data` gives what it held of the file.

    `check_head` is called once with the first `head_bytes` of the file, or with all of it when it
    is shorter, and raises to refuse it.

    Raises, from every method:
        InvalidUpload: the body is not well-formed, or one of its fields, headers or parts is more
            than a form of this kind needs.
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
        self.file: FilePart | None = None
        self._max_file_bytes = max_file_bytes
        self._head_bytes = head_bytes
        self._check_head = check_head
        self._head: bytearray | None = bytearray()
        self._file_data: list[memoryview] = []
        self._held = 0
        self._body_bytes = 0
        self._parts = 0
        self._complete = False
        self._begin_part()
        self._parser = self._build_parser(content_type)

    @property
    def held_bytes(self) -> int:
        """How much memory is taken by what waits in `take_file_data`."""
        return self._held

    def write(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidUpload(f"The form is malformed: {error}") from error
        file_bytes = self.file.size if self.file else 0
        if self._body_bytes - file_bytes > MAX_OVERHEAD_BYTES:
            raise InvalidUpload("The form holds too much besides the file.")

    def finish(self) -> None:
        """Call when the body has ended."""
        if not self._complete:
            raise InvalidUpload("The form ends before its closing delimiter.")

    def take_file_data(self) -> list[memoryview]:
        """The bytes of the file that came since the last call, in order."""
        data, self._file_data, self._held = self._file_data, [], 0
        return data

    def _build_parser(self, content_type: str) -> MultipartParser:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data":
            raise InvalidUpload("The request must be a multipart/form-data form.")
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidUpload("The form's content type names no boundary.")
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidUpload(f"The form is malformed: {error}") from error

    def _begin_part(self) -> None:
        self._header_name = b""
        self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field = ""
        self._value: bytearray | None = None  # None while the part is the file

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidUpload(f"The form has more than {MAX_PARTS} parts.")
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise InvalidUpload("A part of the form has no name.")
        self._field = decode(options[b"name"])
        if b"filename" not in options:
            self._value = bytearray()
            return
        if self.file is not None:
            raise InvalidUpload("The form has more than one file; send one at a time.")
        content_type = self._headers.get(b"content-type")
        self.file = FilePart(
            self._field,
            decode(options[b"filename"]),
            None if content_type is None else content_type.decode("latin-1"),
        )

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._value is None:
            self._add_file_data(memoryview(data)[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise InvalidUpload(f"A field of the form is longer than {MAX_FIELD_BYTES} bytes.")

    def _add_file_data(self, data: memoryview) -> None:
        assert self.file is not None
        self.file.size += len(data)
        if self.file.size > self._max_file_bytes:
            raise UploadTooLarge.than(self._max_file_bytes)
        if self._head is not None:
            self._head += data[: self._head_bytes - len(self._head)]
            if len(self._head) == self._head_bytes:
                self._judge_head()
        self._file_data.append(data)
        self._held += len(data) + VIEW_BYTES

    def _judge_head(self) -> None:
        if self._head is not None:
            head, self._head = bytes(self._head), None
            self._check_head(head)

    def _end_part(self) -> None:
        if self._value is None:
            self._judge_head()
        else:
            self.fields.append((self._field, decode(self._value)))

    def _end(self) -> None:
        self._complete = True


def decode(text: bytes | bytearray) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise InvalidUpload("A field of the form is not UTF-8 text.") from error
