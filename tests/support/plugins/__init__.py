"""ForgeSyte plugins for a server process, found as those of an installed package are."""

from pathlib import Path

INSTALLED = Path(__file__).parent / "installed"
