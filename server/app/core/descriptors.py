"""How many files and sockets this process may have open."""

import resource


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one: each upload in flight holds a socket and a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
