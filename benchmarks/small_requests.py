"""Many small requests on a few connections, from one event loop that does nothing else."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from math import inf

import uvloop

from tests.support.uploads import END, form_before_file, request_head

HOST = "127.0.0.1"


def submit_request(video: bytes, pipeline_id: str) -> bytes:
    before = form_before_file(pipeline_id)
    head = request_head(len(before) + len(video) + len(END))
    return head + before + video + END


def poll_request(job_id: str) -> bytes:
    return f"GET /video/status/{job_id} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def requests_per_second(
    port: int, requests: Iterable[bytes], *, clients: int, seconds: float = inf
) -> float:
    """How many of `requests` are answered 200 in a second, when each client sends the next one as
    soon as it has the answer to its last. Ends with the requests, or after `seconds`."""
    return uvloop.run(_ask_all(port, iter(requests), clients, seconds))


async def _ask_all(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> float:
    began = time.perf_counter()
    counts = await asyncio.gather(*(_ask(port, requests, began + seconds) for _ in range(clients)))
    return sum(counts) / (time.perf_counter() - began)


async def _ask(port: int, requests: Iterator[bytes], deadline: float) -> int:
    reader, writer = await asyncio.open_connection(HOST, port)
    answered = 0
    for request in requests:
        writer.write(request)
        await read_answer(reader)
        answered += 1
        if time.perf_counter() >= deadline:
            break
    writer.close()
    await writer.wait_closed()
    return answered


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer, which is a 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))
