"""Lines of the formats in which a backslash at the end carries on with the next."""

from collections.abc import Iterator


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Every line, joined with what carries it on, and the number that it begins at."""
    begun: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        begun.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield number - len(begun) + 1, "".join(begun)
            begun = []
    if begun:
        yield len(text.splitlines()) - len(begun) + 1, "".join(begun)
