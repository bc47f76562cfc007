import asyncio
from collections.abc import Sequence

import pytest

from app.core.batching import Batcher

pytestmark = pytest.mark.asyncio


class Served:
    """Keeps what it was called with, and answers when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.breaks = False

    async def __call__(self, arguments: Sequence[int]) -> Sequence[int | Exception]:
        self.groups.append(list(arguments))
        self.called.set()
        await self.open.wait()
        if self.breaks:
            raise OSError("no service")
        return [ValueError(f"{n} is odd") if n % 2 else 10 * n for n in arguments]


async def start(
    grouped: Batcher[int, int], served: Served, *numbers: int
) -> list[asyncio.Task[int]]:
    """Calls of which the first is under way, the others wait."""

    async def call(number: int) -> int:
        return await grouped(number)

    first = asyncio.create_task(call(numbers[0]))
    async with asyncio.timeout(5):
        await served.called.wait()
    waiting = [asyncio.create_task(call(number)) for number in numbers[1:]]
    await asyncio.sleep(0)  # lets each of them make its call
    return [first, *waiting]


async def outcomes(tasks: list[asyncio.Task[int]]) -> list[int | BaseException]:
    async with asyncio.timeout(5):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_call_that_finds_none_under_way_is_served_at_once() -> None:
    served = Served()
    served.open.set()
    grouped = Batcher(served)

    async with asyncio.timeout(5):
        assert [await grouped(2), await grouped(4)] == [20, 40]

    assert served.groups == [[2], [4]]


async def test_calls_that_arrive_meanwhile_are_served_together_in_their_order() -> None:
    served = Served()
    tasks = await start(Batcher(served), served, 0, 8, 2, 6, 4)

    served.open.set()

    assert await outcomes(tasks) == [0, 80, 20, 60, 40]
    assert served.groups == [[0], [8, 2, 6, 4]]


async def test_a_group_is_no_larger_than_allowed() -> None:
    served = Served()
    tasks = await start(Batcher(served, largest=2), served, 0, 2, 4, 6, 8, 10)

    served.open.set()

    assert await outcomes(tasks) == [0, 20, 40, 60, 80, 100]
    assert served.groups == [[0], [2, 4], [6, 8], [10]]


async def test_an_outcome_that_is_an_exception_is_raised_to_its_caller_alone() -> None:
    served = Served()
    tasks = await start(Batcher(served), served, 0, 2, 3, 4)

    served.open.set()
    good, also_good, bad, last = await outcomes(tasks)

    assert [good, also_good, last] == [0, 20, 40]
    assert isinstance(bad, ValueError)


async def test_a_failure_of_the_whole_service_is_everybodys_and_the_next_calls_are_served() -> None:
    served = Served()
    served.breaks = True
    grouped = Batcher(served)
    tasks = await start(grouped, served, 0, 2, 4)

    served.open.set()

    assert [str(error) for error in await outcomes(tasks)] == ["no service"] * 3
    served.breaks = False
    async with asyncio.timeout(5):
        assert await grouped(6) == 60


@pytest.mark.parametrize("cancelled", [0, 1, 2], ids=["under way", "first in line", "last"])
async def test_a_caller_that_is_cancelled_is_served_and_leaves_the_others_alone(
    cancelled: int,
) -> None:
    served = Served()
    grouped = Batcher(served)
    tasks = await start(grouped, served, 0, 2, 4)

    tasks[cancelled].cancel()
    await asyncio.wait([tasks[cancelled]], timeout=5)
    served.open.set()
    ended = await outcomes(tasks)

    assert isinstance(ended.pop(cancelled), asyncio.CancelledError)
    assert ended == [n for n in (0, 20, 40) if n != 20 * cancelled]
    assert served.groups == [[0], [2, 4]]
    async with asyncio.timeout(5):
        assert await grouped(6) == 60


async def test_the_end_of_the_event_loop_cancels_who_is_served_and_who_waits() -> None:
    served = Served()
    grouped = Batcher(served)
    others = asyncio.all_tasks()
    calls = await start(grouped, served, 2, 4, 6)
    (serving,) = asyncio.all_tasks() - others - {*calls}
    serving.cancel()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 3
    served.open.set()
    assert await grouped(8) == 80
