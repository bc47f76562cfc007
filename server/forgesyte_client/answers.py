"""What an answer means, and whether a ForgeSyte server gave it or whatever stands before one."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2

from forgesyte_client.errors import (
    ForgeSyteClientError,
    NotFound,
    Rejected,
    ServerUnavailable,
)

TRY_AGAIN = frozenset({408, 429, 502, 503, 504, *range(520, 531)})
"""Answers of a server that cannot do it now, and of a proxy that does not reach it.

520 to 530 are Cloudflare's.
"""

WHOEVER_SAYS_IT = frozenset({401, 407, 413})
"""Refusals that no waiting changes: credentials are missing, or the file is too large."""

NOT_OURS = "which is not what a ForgeSyte server says."

T = TypeVar("T")


class Away(Exception):
    """The server cannot be asked now.

    `error` is to be raised when it is not waited for, `pause` how many seconds it wants to be left
    alone. `is_there` tells whether it, or what stands before it, has been heard of.
    """

    def __init__(
        self, error: ForgeSyteClientError, *, pause: float = 0, is_there: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause
        self.is_there = is_there


def value_of(response: httpx2.Response, read: Callable[[httpx2.Response], T], where: str) -> T:
    """What `read` makes of a successful answer; it raises ValueError, KeyError or TypeError where
    that is none of a ForgeSyte server. `where` is told in messages.

    Raises:
        Away: the server is, or something else has answered in its place.
        NotFound, Rejected: the server refuses.
        ServerUnavailable: the server fails.
    """
    status, detail = response.status_code, detail_of(response)
    sentence = detail or f"{where} answered {in_short(response)}, {NOT_OURS}"
    if response.is_success:
        try:
            return read(response)
        except (ValueError, KeyError, TypeError) as error:
            raise Away(ServerUnavailable(sentence)) from error
    if status in TRY_AGAIN:
        raise Away(ServerUnavailable(sentence), pause=retry_after(response), is_there=True)
    if detail is None and status == httpx2.codes.NOT_FOUND:  # it knows nothing of any job
        raise Away(ServerUnavailable(sentence))
    if detail is None and status not in WHOEVER_SAYS_IT:
        raise Away(refusal(status, sentence))
    raise refusal(status, sentence)


def refusal(status: int, sentence: str) -> ForgeSyteClientError:
    if status == httpx2.codes.NOT_FOUND:
        return NotFound(sentence)
    if httpx2.codes.is_client_error(status):
        return Rejected(status, sentence)
    return ServerUnavailable(sentence)


def detail_of(response: httpx2.Response) -> str | None:
    """The sentence of a ForgeSyte server; None if it is not one that has answered."""
    if response.is_success:
        return None
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return None
    return detail if isinstance(detail, str) else None


def in_short(response: httpx2.Response) -> str:
    status = f"{response.status_code} {response.reason_phrase}"
    moved = response.headers.get("Location") if response.is_redirect else None
    return f"{status} (now at {moved})" if moved else status


def retry_after(response: httpx2.Response) -> float:
    """Seconds that the answer asks to wait: a number of them, or a date (RFC 9110)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0
    if moment.tzinfo is None:  # from a zone that it does not want to tell
        moment = moment.replace(tzinfo=UTC)
    return max(0, (moment - datetime.now(UTC)).total_seconds())
