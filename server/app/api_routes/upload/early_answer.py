"""Answering a request while its body is still coming in."""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

MAX_REST_BYTES = 4 * 1024 * 1024
MAX_REST_SECONDS = 1
LAST_LOOK_SECONDS = 0.2


class Body:
    """The `receive` of a request, which notes whether the end has come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.ended = not message.get("more_body", False)
        return message


class Refusal(JSONResponse):
    """Closes the connection, but not before the client has had time to read why.

    A connection that is closed with bytes unread is reset, and at a reset many a client forgets
    what it has not read yet. So the answer goes out first, and the rest of the body is read and
    thrown away. Past MAX_REST_BYTES nothing more is taken, but the connection stays open a little
    longer: a client that is just about to send on would otherwise be reset before it looks.
    """

    def __init__(self, content: object, status: HTTPStatus, body: Body) -> None:
        super().__init__(content, status, headers={"Connection": "close"})
        self._request_body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_REST_SECONDS):
                await discard(self._request_body)
        await send({"type": "http.response.body"})


async def discard(body: Body) -> None:
    """Read what is left of a body, up to MAX_REST_BYTES of it."""
    left = MAX_REST_BYTES
    while left > 0 and not body.ended:
        message = await body()
        left -= len(message.get("body", b""))
    if not body.ended:
        await asyncio.sleep(LAST_LOOK_SECONDS)
