"""Turning an exception into a sentence that may be stored and shown."""

import logging
import re

from app.core.errors import ForgeSyteError

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 2000
ABSOLUTE_PATH = re.compile(
    r"""(?<=')/[^'\n]+(?=') | (?<=")/[^"\n]+(?=")       # quoted, it may hold anything
    | (?: (?<![\w./]) | (?<=file://) ) (?:/[^\s/:;,'"()<>\[\]]+)+/?
    """,
    re.VERBOSE,
)


def describe(error: BaseException) -> str:
    """What `error` says, and its type unless it is one of ours; without folders, and not longer
    than MAX_MESSAGE_BYTES.

    An absolute path shrinks to its last component: where files lie is nobody's business over
    HTTP.
    """
    text = text_of(error)
    if not text or not isinstance(error, ForgeSyteError):
        text = ": ".join(filter(None, [type(error).__name__, text]))
    head = text[: 4 * MAX_MESSAGE_BYTES]
    short = ABSOLUTE_PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], head)
    encoded = short.encode("utf-8", "replace")
    if len(encoded) <= MAX_MESSAGE_BYTES and len(head) == len(text):
        return encoded.decode()
    return encoded[: MAX_MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "…"


def text_of(error: BaseException) -> str:
    """`str(error)`; nothing when that raises in turn, as a pipeline's own exception may."""
    try:
        return str(error)
    except BaseException:
        logger.warning("A %s cannot say what it is", type(error).__name__, exc_info=True)
        return ""
