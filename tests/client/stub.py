"""A server that says what a test wants, and breaks when the test wants."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Conversation"], Awaitable[None]]


class Conversation:
    """One connection, its request read up to the body."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def read_head(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        self.request_line = head.partition("\r\n")[0]
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        self.body_bytes = int(length[1]) if length else 0
        self.chunked = "transfer-encoding: chunked" in head.lower()

    async def read_body(self) -> bytes:
        """Of the announced length, or in chunks as they come."""
        if not self.chunked:
            return await self._reader.readexactly(self.body_bytes)
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return body

    async def read_some(self, count: int) -> bytes:
        return await self._reader.readexactly(count)

    async def read_to_the_end(self) -> bytes:
        return await self._reader.read()

    async def answer(self, status_code: int, body: object, **headers: str) -> None:
        """As JSON, or bytes as they are; `Retry_After` is the header Retry-After."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.writer.write(
            f"HTTP/1.1 {status_code} Whatever\r\nContent-Length: {len(content)}\r\n"
            f"{more}Connection: close\r\n\r\n".encode()
            + content
        )
        await self.writer.drain()

    async def hang_up(self) -> None:
        """Without a reset, so that what was answered can be read."""
        self.writer.close()
        await self.writer.wait_closed()


@dataclass
class Stub:
    """Its connections are handled by `behaviours`, one after the other."""

    behaviours: list[Behaviour]
    requests: list[str] = field(default_factory=list)
    url: str = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(reader, writer)
        try:
            await conversation.read_head()
            self.requests.append(conversation.request_line)
            await self.behaviours.pop(0)(conversation)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the loop ends
        finally:
            writer.transport.abort()


@asynccontextmanager
async def serving(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Stub]:
    stub = Stub([*behaviours])
    async with await asyncio.start_server(stub.handle, "127.0.0.1", 0, ssl=tls) as server:
        host, port = server.sockets[0].getsockname()
        stub.url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield stub


def answering(status_code: int, body: object, **headers: str) -> Behaviour:
    """Read the whole request, and answer."""

    async def behave(conversation: Conversation) -> None:
        await conversation.read_body()
        await conversation.answer(status_code, body, **headers)
        await conversation.hang_up()

    return behave


async def silent_after_everything(conversation: Conversation) -> None:
    """Read the whole request, and hang up."""
    await conversation.read_body()


async def gone_in_the_middle(conversation: Conversation) -> None:
    """Hang up half-way through the body."""
    await conversation.read_some(conversation.body_bytes // 2)


async def asleep(conversation: Conversation) -> None:
    """Never answer."""
    await asyncio.Event().wait()
