"""What tells one life of the machine from another."""

from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Another one after each boot of the machine (random(4)); empty where there is none."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
