"""Where log lines go, and which."""

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
HANDLER = "forgesyte"
TALKATIVE = ("alembic",)
"""Libraries that tell every step of what they do at INFO."""


def configure_logging(level: str = "info") -> None:
    """Send what is logged from `level` up to standard error, by plugins and libraries too, unless
    somebody has set up logging already. May be called again, with another level."""
    root = logging.getLogger()
    if not root.handlers and not logging.getLogger("app").handlers:
        handler = logging.StreamHandler()
        handler.set_name(HANDLER)
        handler.setFormatter(logging.Formatter(FORMAT))
        root.addHandler(handler)
    if any(handler.name == HANDLER for handler in root.handlers):
        root.setLevel(level.upper())
        for name in TALKATIVE:
            logging.getLogger(name).setLevel("WARNING" if level == "info" else "NOTSET")
