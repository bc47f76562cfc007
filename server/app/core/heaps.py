"""Memory that the C library keeps for a process: glibc's mallopt(3) and malloc_trim(3)."""

import ctypes

_library = ctypes.CDLL(None)
_M_ARENA_MAX = -8
ARENAS = 2


def share_heaps() -> None:
    """Let all threads allocate from ARENAS heaps, where there would be up to eight for each
    processor. Each keeps the most that it ever held; with two, threads are as fast."""
    if hasattr(_library, "mallopt"):
        _library.mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return to the system what is free in the heaps, which takes milliseconds."""
    if hasattr(_library, "malloc_trim"):
        _library.malloc_trim(0)
