"""Examples of the policy, planted in a copy of the tree."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tools.governance.policy import Example

REPOSITORY = Path(__file__).parents[2]

Plant = Callable[[Example], AbstractContextManager[Path]]


@contextmanager
def planted(root: Path, example: Example) -> Iterator[Path]:
    """Put an example into the tree at `root`, and take it out again."""
    target = root / example.path
    before = target.read_text() if target.exists() else None
    made = [folder for folder in target.parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_new_text(example, before))
    try:
        yield root
    finally:
        if before is None:
            target.unlink()
        else:
            target.write_text(before)
        for folder in made:
            folder.rmdir()


def _new_text(example: Example, before: str | None) -> str:
    if example.replaces is None:
        assert before is None, f"{example.path} exists"
        return example.text
    assert before is not None, f"{example.path} does not exist"
    assert example.replaces in before, f"{example.path} lacks {example.replaces!r}"
    return before.replace(example.replaces, example.text, 1)
