"""What clients may do on the wire beside sending a request: offer, pipeline, close one side."""

import socket
from collections.abc import Iterable
from itertools import pairwise

import pytest

from tests.support.client import submit, wait_for
from tests.support.server import ServerProcess
from tests.support.uploads import (
    END,
    FTYP,
    chunk,
    connect,
    form_before_file,
    read_answer,
    request_head,
)

pytestmark = pytest.mark.parametrize("server", ["asyncio", "uvloop"], indirect=True)

BODY = form_before_file() + FTYP + bytes(300_000) + END
PLAIN = request_head(len(BODY))
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "TLS": b"Upgrade: TLS/1.2\r\nConnection: Upgrade\r\n",
    "what nginx passes on": b"Upgrade: one, other/2\r\nConnection: upgrade\r\n",
    "and a last request": b"Connection: close, upgrade\r\nUpgrade: h2c\r\n",
}
OFFER = OFFERS["h2c"]


def offering(head: bytes, offer: bytes = OFFER) -> bytes:
    return head.removesuffix(b"\r\n") + offer + b"\r\n"


def send_cut(connection: socket.socket, data: bytes, edges: Iterable[int]) -> None:
    """Send in pieces that the server reads one by one, as far as that can be had."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for start, end in pairwise([0, *edges, len(data)]):
        connection.sendall(data[start:end])


HEAD = offering(PLAIN)
CUTS = {
    "whole": [],
    "after the head": [len(HEAD)],
    "in the head": [len(HEAD) - 1],
    "in the body": [len(HEAD) + 100],
    "byte by byte": range(1, len(HEAD) + 300),
}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_an_offer_is_passed_over(server: ServerProcess, offer: bytes) -> None:
    with connect(server.port) as connection:
        connection.sendall(offering(PLAIN, offer) + BODY)
        job_id = read_answer(connection).job_id
    stored = server.data_dir / "video_jobs" / f"{job_id}.mp4"
    assert stored.read_bytes() == FTYP + bytes(300_000)


@pytest.mark.parametrize("edges", CUTS.values(), ids=CUTS)
def test_it_may_be_cut_anywhere(server: ServerProcess, edges: Iterable[int]) -> None:
    with connect(server.port) as connection:
        send_cut(connection, HEAD + BODY, edges)
        assert read_answer(connection).job_id


def test_its_body_may_come_in_chunks(server: ServerProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(offering(request_head(None)) + chunk(BODY[:1000]))
        connection.sendall(chunk(BODY[1000:]) + chunk(b""))
        assert read_answer(connection).job_id


def test_its_body_may_wait_for_leave(server: ServerProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(offering(HEAD, b"Expect: 100-continue\r\n"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_answer(connection).job_id


def test_more_requests_may_follow_at_once(server: ServerProcess) -> None:
    job_id = submit(server.base_url, FTYP, "nothing")
    poll = f"GET /video/status/{job_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    requests = [offering(poll), HEAD + BODY, poll, HEAD + BODY, offering(poll)]
    with connect(server.port) as connection:
        connection.sendall(b"".join(requests))
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"HTTP/1.1") == len(requests)


def test_thousands_of_offers_in_one_piece_are_no_burden(server: ServerProcess) -> None:
    poll = offering(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    with connect(server.port) as connection:
        connection.sendall(5000 * poll)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK") == 5000


@pytest.mark.parametrize("target", [b"example.com:443", b"/", b"x"])
def test_a_tunnel_is_refused(server: ServerProcess, target: bytes) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        assert 400 <= read_answer(connection).status < 500


@pytest.mark.parametrize("size", [0, 300_000])
def test_a_whole_request_is_answered_though_the_sending_side_is_closed(
    server: ServerProcess, size: int
) -> None:
    body = form_before_file() + FTYP + bytes(size) + END
    with connect(server.port) as connection:
        connection.sendall(request_head(len(body)) + body)
        connection.shutdown(socket.SHUT_WR)
        job_id = read_answer(connection).job_id
        assert connection.recv(1) == b""
    wait_for(server.base_url, job_id, 60)


def test_an_upload_that_is_cut_by_it_ends_at_once(server: ServerProcess) -> None:
    with connect(server.port) as connection:
        connection.sendall(PLAIN + BODY[:-10])
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        assert connection.recv(1000) == b""


def test_results_of_any_length_are_sent_whole_though_the_sending_side_is_closed(
    server: ServerProcess,
) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
    assert len(answer.body) == int(answer.headers["content-length"]) > 1_000_000
