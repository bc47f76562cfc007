import asyncio
import signal
from pathlib import Path
from unittest.mock import MagicMock, create_autospec
from uuid import uuid4

import pytest

from app.core.database_thread import DatabaseThread
from app.core.errors import DatabaseError
from app.models.job import JobStatus
from app.services.job_store import JobStore
from app.services.queue.base import QueueService
from app.services.storage.base import StagingArea, StorageService
from app.workers.worker import JobWorker
from tests.support.client import wait_until
from tests.support.dags import Dag
from tests.support.server import WorkerProcess
from tests.workers.conftest import Bench, recording


class Mocks:
    """A worker among mocks: queue and database do as they are told."""

    def __init__(self) -> None:
        self.queue = create_autospec(QueueService, instance=True)
        self.database = create_autospec(DatabaseThread, instance=True)
        self.store = create_autospec(JobStore, instance=True)
        self.worker = JobWorker(
            queue=self.queue,
            database=self.database,
            store=self.store,
            storage=create_autospec(StorageService, instance=True),
            staging=create_autospec(StagingArea, instance=True),
            pipelines=MagicMock(),
        )


@pytest.fixture
def mocks() -> Mocks:
    return Mocks()


REFUSED = DatabaseError("refused")


def test_empty_queue_leaves_the_database_alone(mocks: Mocks) -> None:
    mocks.queue.dequeue.return_value = None
    assert mocks.worker.run_once() is False
    mocks.database.call.assert_not_called()


def test_job_that_is_not_pending_any_more_is_passed_over(mocks: Mocks) -> None:
    job_id = uuid4()
    mocks.queue.dequeue.return_value = job_id
    mocks.database.call.return_value = None
    assert mocks.worker.run_once() is True
    mocks.database.call.assert_called_once_with(mocks.store.claim, job_id)


def test_refused_claim_is_tried_again(mocks: Mocks) -> None:
    mocks.queue.dequeue.return_value = uuid4()
    mocks.database.call.side_effect = [REFUSED, REFUSED, None]
    assert mocks.worker.run_once() is True
    assert mocks.database.call.call_count == 3


def test_refused_claim_does_not_hold_up_a_stop(mocks: Mocks) -> None:
    def refuse(*_: object) -> None:
        mocks.worker.stop()
        raise REFUSED

    mocks.queue.dequeue.return_value = uuid4()
    mocks.database.call.side_effect = refuse
    assert mocks.worker.run_once() is False
    assert mocks.database.call.call_count == 1


def test_no_job_starts_after_stop(mocks: Mocks) -> None:
    mocks.worker.stop()
    assert mocks.worker.run_once() is False
    mocks.queue.dequeue.assert_not_called()


async def wait_until_called(mock: MagicMock, times: int) -> None:
    async with asyncio.timeout(10):
        while mock.call_count < times:  # noqa: ASYNC110 - a mock has no event to wait for
            await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_loop_sleeps_while_there_is_nothing_and_wakes_at_once(mocks: Mocks) -> None:
    mocks.queue.dequeue.return_value = None
    loop = asyncio.create_task(mocks.worker.run_forever())
    await wait_until_called(mocks.queue.dequeue, 1)
    await asyncio.sleep(0.3)  # long enough for a loop that polls to give itself away
    assert mocks.queue.dequeue.call_count == 1
    mocks.worker.wake()
    await wait_until_called(mocks.queue.dequeue, 2)
    mocks.worker.stop()
    await asyncio.wait_for(loop, 10)


@pytest.mark.asyncio
async def test_defect_in_run_once_ends_the_loop_loudly(mocks: Mocks) -> None:
    mocks.queue.dequeue.side_effect = RuntimeError("defect")
    with pytest.raises(RuntimeError, match="defect"):
        await asyncio.wait_for(mocks.worker.run_forever(), 10)


def statuses(bench: Bench, *job_ids: object) -> list[JobStatus]:
    return [bench.job(job_id).status for job_id in job_ids]  # type: ignore[arg-type]


def test_running_is_what_the_row_says_while_the_job_runs(bench: Bench) -> None:
    seen: list[JobStatus] = []
    worker = bench.worker(recording(seen, lambda _: bench.job(first).status))
    first, second = bench.submit(), bench.submit()
    assert statuses(bench, first, second) == ["pending", "pending"]
    assert worker.run_once() is True
    assert set(seen) == {JobStatus.RUNNING}
    assert bench.job(second).status is JobStatus.PENDING


def test_jobs_run_in_the_order_of_submission(bench: Bench) -> None:
    order: list[object] = []
    worker = bench.worker(recording(order, lambda _: worker.running))
    submitted = [bench.submit() for _ in range(3)]
    while worker.run_once():
        pass
    assert list(dict.fromkeys(order)) == submitted


def test_id_queued_twice_runs_once(bench: Bench) -> None:
    frames: list[object] = []
    worker = bench.worker(recording(frames, lambda payload: payload["frame_index"]))
    job_id = bench.submit()
    bench.queue.enqueue(job_id)
    while worker.run_once():
        pass
    assert frames == list(range(10))


def test_id_without_a_row_is_passed_over(bench: Bench) -> None:
    worker = bench.worker(Dag(lambda _: {}))
    bench.queue.enqueue(uuid4())
    job_id = bench.submit()
    while worker.run_once():
        pass
    assert bench.job(job_id).status is JobStatus.COMPLETED


def wait_until_recovered(runner: WorkerProcess) -> None:
    wait_until(lambda: "Recovered" in runner.log(), 30, "The runner's start")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_runner_ends_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with WorkerProcess(tmp_path) as runner:
        wait_until_recovered(runner)
        runner.signal(number)
        assert runner.wait(10) == 0


def test_second_runner_is_refused_with_one_line(tmp_path: Path) -> None:
    with WorkerProcess(tmp_path) as first:
        wait_until_recovered(first)
        with WorkerProcess(tmp_path) as second:
            assert second.wait(10) == 1
            (line,) = second.log().splitlines()
            assert f"process {first.pid}" in line
            assert str(tmp_path / "foregsyte.duckdb") in line
        assert first.is_running()
