"""HTTP as the server speaks it, for uvicorn: `--http app.http_protocol:HttpProtocol`."""

from collections.abc import Iterator

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

IDLE_SECONDS = 75
"""How long a connection may idle between two requests: longer than clients poll, or than nginx
keeps one that it may use again, so that it is not closed under a request."""

INVALID_REQUEST = "Invalid HTTP request received."


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with two differences.

    An offer to go on in another protocol is passed over, and the request answered as if it made
    none (RFC 9110, section 7.8). By itself httptools takes all that follows such a head for the
    other protocol, the body included. And a client that closes its sending side after a whole
    request is answered.
    """

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        rest = memoryview(data)
        try:
            while rest:
                rest = self._parse(rest)
        except httptools.HttpParserError:
            self.logger.warning(INVALID_REQUEST)
            self.send_400_response(INVALID_REQUEST)

    def on_headers_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_headers_complete()

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

    def _parse(self, data: memoryview) -> memoryview:
        """Parse up to the end of a head that makes an offer, or all; what is left."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self.parser.get_method() == b"CONNECT":  # to be a tunnel is no offer
                raise httptools.HttpParserError(INVALID_REQUEST) from offer
            head = b"".join(self._head_without_offer())
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
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
