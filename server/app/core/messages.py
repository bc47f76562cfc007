"""Turning an exception into a sentence that may be stored and shown."""

import re

from app.core.errors import ForgeSyteError

MAX_MESSAGE_BYTES = 2000
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])(?:/[^\s/:;,'\"()<>\[\]]+)+/?")


def describe(error: BaseException) -> str:
    """What `error` says, and its type unless it is one of ours; without folders, and not longer
    than MAX_MESSAGE_BYTES.

    An absolute path shrinks to its last component: where files lie is nobody's business over
    HTTP.
    """
    text = str(error)
    if not text or not isinstance(error, ForgeSyteError):
        text = ": ".join(filter(None, [type(error).__name__, text]))
    head = text[: 4 * MAX_MESSAGE_BYTES]
    short = ABSOLUTE_PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], head)
    encoded = short.encode("utf-8", "replace")
    if len(encoded) <= MAX_MESSAGE_BYTES and len(head) == len(text):
        return encoded.decode()
    return encoded[: MAX_MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "…"
