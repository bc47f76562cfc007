"""The server with a fault of a test's own in it."""

import sys


def patched_server(patch: str) -> list[str]:
    """The command for the real server, after running the statements of `patch` in its process."""
    return [sys.executable, "-c", f"{patch}\nfrom app import __main__"]
