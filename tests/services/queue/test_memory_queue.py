"""The contract of QueueService."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from app.services.queue.base import QueueService
from app.services.queue.memory_queue import MemoryQueue


@pytest.fixture(params=[MemoryQueue])
def queue(request: pytest.FixtureRequest) -> QueueService:
    implementation: type[QueueService] = request.param
    return implementation()


def drain(queue: QueueService) -> list[UUID]:
    taken = []
    while (job_id := queue.dequeue()) is not None:
        taken.append(job_id)
    return taken


def test_a_queue_has_three_methods() -> None:
    for kind in (QueueService, MemoryQueue):
        methods = {name for name in vars(kind) if not name.startswith("_")}
        assert methods == {"enqueue", "dequeue", "size"}


def test_new_queue_is_empty(queue: QueueService) -> None:
    assert queue.size() == 0


@pytest.mark.timeout(5)
def test_dequeue_of_an_empty_queue_returns_at_once(queue: QueueService) -> None:
    assert queue.dequeue() is None


def test_ids_leave_in_the_order_they_came(queue: QueueService) -> None:
    ids = [uuid4() for _ in range(5)]
    for job_id in ids:
        queue.enqueue(job_id)
    assert drain(queue) == ids


def test_size_counts_what_waits(queue: QueueService) -> None:
    queue.enqueue(uuid4())
    queue.enqueue(uuid4())
    assert queue.size() == 2
    queue.dequeue()
    assert queue.size() == 1


def test_same_id_may_wait_twice(queue: QueueService) -> None:
    job_id = uuid4()
    queue.enqueue(job_id)
    queue.enqueue(job_id)
    assert drain(queue) == [job_id, job_id]


def test_threads_lose_and_double_nothing(queue: QueueService) -> None:
    ids = [uuid4() for _ in range(400)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(queue.enqueue, ids))
        taken = list(threads.map(lambda _: queue.dequeue(), ids))
    assert sorted(filter(None, taken)) == sorted(ids)
    assert queue.size() == 0
