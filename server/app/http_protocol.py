"""HTTP as the server speaks it, for uvicorn: `--http app.http_protocol:HttpProtocol`."""

from collections.abc import Iterator

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.lent_socket import LEND_SOCKET, LentSocket

IDLE_SECONDS = 75
"""How long a connection may idle between two requests: longer than clients poll, or than nginx
keeps one that it may use again, so that it is not closed under a request."""

LARGE_BODY_BYTES = 256 * 1024

INVALID_REQUEST = "Invalid HTTP request received."


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with three differences.

    An offer to go on in another protocol is passed over, and the request answered as if it made
    none (RFC 9110, section 7.8). By itself httptools takes all that follows such a head for the
    other protocol, the body included. A client that closes its sending side after a whole request
    is answered. And a large body of known length goes past the parser: a copy less of every byte,
    and a thread may read it, by what `lent_socket` adds to the request's scope.
    """

    _body_left = 0
    """How much is still to come of a body that goes past the parser."""

    def data_received(self, data: bytes) -> None:
        """The rest of a body that was answered before keeps no connection open."""
        rest = memoryview(self._pass_body(data) if self._body_left else data)
        try:
            while rest:
                rest = self._parse(rest)
        except httptools.HttpParserError:
            self.logger.warning(INVALID_REQUEST)
            self.send_400_response(INVALID_REQUEST)

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()  # set again if an answer has ended since the beginning
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            length = int(dict(self.headers).get(b"content-length", 0))
            if length > LARGE_BODY_BYTES:
                self._body_left = length
                if self.scheme == "http":
                    self.scope["extensions"] = {LEND_SOCKET: self._lend_socket}  # type: ignore[dict-item]

    def on_body(self, body: bytes) -> None:
        if self._body_left:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answers that are still to come; with TLS that cannot be."""
        last = self.cycle
        if last is None or last.more_body or last.response_complete or self.scheme == "https":
            return False
        last.keep_alive = False
        return True

    def _pass_body(self, data: bytes) -> bytes:
        """Hand on what belongs to a large body, and read no further until it is taken; the rest.

        uvicorn makes `bytes` of a cycle's body, which takes no copy when they are bytes already.
        """
        body, rest = data[: self._body_left], data[self._body_left :]
        self._body_left -= len(body)
        if not self.cycle.response_complete:
            if self.cycle.body:
                self.cycle.body += body
            else:
                self.cycle.body = body  # type: ignore[assignment]
            self.flow.pause_reading()
            self.cycle.message_event.set()
        if not self._body_left:
            self._end_body()
        return rest

    def _lend_socket(self) -> LentSocket | None:
        if not self._body_left or self.cycle.disconnected or self.cycle.response_complete:
            return None
        self.flow.pause_reading()
        if self.cycle.body:  # read already, and not yet received
            return None
        try:
            connection = self.transport.get_extra_info("socket").dup()
        except OSError:  # no descriptor is left, and it goes without
            return None
        return LentSocket(connection, self._body_left, self._take_back)

    def _take_back(self, left: int) -> None:
        self._body_left = left
        if not left:
            self._end_body()

    def _end_body(self) -> None:
        self._begin_message()
        self.on_message_complete()

    def _begin_message(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _parse(self, data: memoryview) -> memoryview:
        """Parse up to the end of a head that makes an offer, or all; what is left."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self.parser.get_method() == b"CONNECT":  # to be a tunnel is no offer
                raise httptools.HttpParserError(INVALID_REQUEST) from offer
            head = b"".join(self._head_without_offer())
            self._begin_message()
            self.parser.feed_data(head)
            return data[offer.args[0] :]
        return data[:0]

    def _head_without_offer(self) -> Iterator[bytes]:
        version = self.parser.get_http_version().encode()
        yield b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, version)
        for name, value in self.headers:
            if name != b"upgrade":
                yield b"%s: %s\r\n" % (name, value)
        yield b"\r\n"
