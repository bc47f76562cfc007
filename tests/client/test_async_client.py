"""The client against the real server, and against servers that break."""

import asyncio
import io
import json
import os
import ssl
import threading
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
import trustme

from forgesyte_client import (
    AsyncClient,
    JobFailed,
    JobStatus,
    NotFound,
    OutcomeUnknown,
    Rejected,
    ServerUnavailable,
    Step,
    WaitTimeout,
)
from forgesyte_client.connection import growing_pauses
from forgesyte_client.upload import PIECE_BYTES, Upload
from tests.client.stub import (
    Conversation,
    answering,
    asleep,
    gone_in_the_middle,
    serving,
    silent_after_everything,
)
from tests.clips import encode_clip, numbered_frames
from tests.fixtures.make_tiny_mp4 import CODE, FRAME_COUNT, TINY_MP4
from tests.support.server import ServerProcess
from tools.local_server import free_port, wait_until

pytestmark = pytest.mark.asyncio

JOB_ID = "2e1cbcf6-9a7d-4d19-9d07-5d9c2b1dbd5a"
STATUS = {
    "job_id": JOB_ID,
    "status": "completed",
    "progress": 1.0,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "updated_at": "2026-01-02T03:04:06.000000Z",
}
ALL_IS_WELL = answering(200, STATUS)


@pytest_asyncio.fixture
async def client(server: ServerProcess) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.base_url, progress=False) as client:
        yield client


def quiet(url: str, **options: Any) -> AsyncClient:
    return AsyncClient(url, progress=False, **options)


async def test_run_returns_every_frame(client: AsyncClient) -> None:
    results = await client.run(TINY_MP4, pipeline_id="barcodes")
    assert UUID(results.job_id)
    assert [frame.frame_index for frame in results] == list(range(FRAME_COUNT))
    assert [frame.result["barcodes"][0]["text"] for frame in results] == [CODE] * FRAME_COUNT
    assert results[3] == results.frames[3]
    assert len(results) == FRAME_COUNT


async def test_each_step_by_itself(client: AsyncClient) -> None:
    before = datetime.now(UTC)
    job_id = await client.submit(str(TINY_MP4), pipeline_id="echo")
    job = await client.wait(UUID(job_id), timeout=60)
    assert (job.job_id, job.status, job.progress) == (job_id, JobStatus.COMPLETED, 1)
    assert job == await client.status(job_id)
    assert before - timedelta(seconds=1) < job.created_at <= job.updated_at
    assert job.updated_at < datetime.now(UTC) + timedelta(seconds=1)
    results = await client.results(job_id)
    assert [frame.result["number"] for frame in results] == list(range(FRAME_COUNT))


async def test_results_are_copied_as_they_are(client: AsyncClient) -> None:
    job_id = (await client.run(TINY_MP4, pipeline_id="echo")).job_id
    copy = io.BytesIO()
    await client.copy_results(job_id, copy)
    assert json.loads(copy.getvalue()) == (await client.results(job_id)).to_json()
    with pytest.raises(NotFound, match="no job"):
        await client.copy_results(uuid4(), io.BytesIO())


async def test_a_file_that_is_no_video_is_rejected(client: AsyncClient, not_a_video: Path) -> None:
    with pytest.raises(Rejected, match="MP4") as caught:
        await client.submit(not_a_video, pipeline_id="nothing")
    assert caught.value.status_code == 400


async def test_a_refusal_is_read_while_the_file_still_goes_out(
    server: ServerProcess, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    sent = 0

    def observe(step: Step) -> None:
        nonlocal sent
        sent = step.sent

    async with AsyncClient(server.base_url, progress=observe) as observed:
        with pytest.raises(Rejected, match="MP4"):
            await observed.submit(large, pipeline_id="nothing")
    assert 0 < sent < 64 << 20


async def test_an_unknown_pipeline_is_rejected_by_name(client: AsyncClient) -> None:
    with pytest.raises(Rejected, match=r"'none'.*barcodes.*ocr") as caught:
        await client.submit(TINY_MP4, pipeline_id="none")
    assert caught.value.status_code == 422


async def test_an_unknown_job_is_not_found(client: AsyncClient) -> None:
    for ask in (client.status, client.results, client.wait):
        with pytest.raises(NotFound, match="no job"):
            await ask(uuid4())


@pytest.mark.parametrize("job_id", ["1", "../../openapi.json", "a b/c?d", "%2e%2e"])
async def test_what_is_no_job_id_stays_in_its_place(client: AsyncClient, job_id: str) -> None:
    with pytest.raises((Rejected, NotFound)):
        await client.status(job_id)


async def test_a_failed_job_says_why(client: AsyncClient, empty_video: Path) -> None:
    job_id = await client.submit(empty_video, pipeline_id="nothing")
    with pytest.raises(JobFailed, match="truncated") as caught:
        await client.wait(job_id)
    assert caught.value.job_id == job_id
    assert "has failed" not in caught.value.reason
    for get in (client.results(job_id), client.copy_results(job_id, io.BytesIO())):
        with pytest.raises(JobFailed) as again:
            await get
        assert again.value.reason == caught.value.reason


async def test_a_job_that_is_not_over(client: AsyncClient) -> None:
    job_id = await client.submit(TINY_MP4, pipeline_id="sleep")
    with pytest.raises(WaitTimeout, match=r"0\.2 seconds"):
        await client.wait(job_id, timeout=0.2)
    with pytest.raises(NotFound, match="no results yet"):
        await client.results(job_id)
    assert (await client.wait(job_id)).status is JobStatus.COMPLETED


async def test_an_error_of_run_tells_the_job(client: AsyncClient) -> None:
    with pytest.raises(WaitTimeout) as caught:
        await client.run(TINY_MP4, pipeline_id="sleep", timeout=0.1)
    (note,) = caught.value.__notes__
    job_id = note.removeprefix("The job is ").removesuffix(".")
    assert (await client.wait(job_id)).status is JobStatus.COMPLETED


async def test_a_missing_file(client: AsyncClient, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await client.submit(tmp_path / "none.mp4", pipeline_id="nothing")


async def test_a_file_that_shrinks_is_not_submitted(server: ServerProcess, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(TINY_MP4.read_bytes() + bytes(4 * PIECE_BYTES))

    def cut(sent: int, size: int) -> None:
        os.truncate(video, PIECE_BYTES)

    upload = Upload(video, "nothing", cut)
    with httpx2.Client(base_url=server.base_url) as http, pytest.raises(OSError, match="shorter"):
        upload.send(http)
    assert not upload.sent_whole


async def test_a_restart_is_waited_for(server: ServerProcess) -> None:
    running = asyncio.Event()

    def observe(step: Step) -> None:
        if step.status is JobStatus.RUNNING:
            running.set()

    async with AsyncClient(server.base_url, progress=observe) as client:
        waiting = asyncio.create_task(client.run(TINY_MP4, pipeline_id="sleep"))
        await running.wait()
        await asyncio.to_thread(server.kill)
        with pytest.raises(ServerUnavailable):
            async with quiet(server.base_url) as newcomer:
                await newcomer.status(JOB_ID)
        submitting = asyncio.create_task(client.submit(TINY_MP4, pipeline_id="nothing"))
        await asyncio.to_thread(server.restart)
        assert len(await waiting) == FRAME_COUNT
        assert (await client.wait(await submitting)).status is JobStatus.COMPLETED


async def test_a_server_that_was_never_there_is_given_up_at_once() -> None:
    async with quiet(f"http://127.0.0.1:{free_port()}", patience=3600) as client:
        for attempt in (client.status(JOB_ID), client.submit(TINY_MP4, pipeline_id="ocr")):
            with pytest.raises(ServerUnavailable, match="no answer"):
                await attempt


async def test_patience_ends() -> None:
    async with serving(ALL_IS_WELL) as stub, quiet(stub.url, patience=0.3) as client:
        await client.status(JOB_ID)
        stub.behaviours += [answering(503, {"detail": "Stopping."})] * 100
        with pytest.raises(ServerUnavailable, match="Stopping"):
            await client.status(JOB_ID)
    assert 2 < len(stub.requests) < 6


async def test_patience_counts_the_time_of_attempts_too() -> None:
    async with (
        serving(ALL_IS_WELL, *[asleep] * 100) as stub,
        quiet(stub.url, patience=1, timeout=0.5) as client,
    ):
        await client.status(JOB_ID)
        with pytest.raises(ServerUnavailable, match="ReadTimeout"):
            await client.status(JOB_ID)
    assert 3 <= len(stub.requests) <= 4


async def test_a_server_that_does_not_answer_in_time() -> None:
    async with serving(asleep) as stub, quiet(stub.url, timeout=0.2) as client:
        with pytest.raises(ServerUnavailable, match="ReadTimeout"):
            await client.status(JOB_ID)


async def test_a_failing_server_is_not_asked_twice() -> None:
    failing = answering(500, {"detail": "The server has failed."})
    async with serving(ALL_IS_WELL, failing) as stub, quiet(stub.url) as client:
        await client.status(JOB_ID)
        with pytest.raises(ServerUnavailable, match="has failed"):
            await client.status(JOB_ID)


@pytest.mark.parametrize(
    ("body", "message"),
    [("<html>", "not what a ForgeSyte server says"), ({"job_id": "1"}, "ForgeSyte")],
)
async def test_some_other_server(body: object, message: str) -> None:
    async with serving(answering(200, body)) as stub, quiet(stub.url) as client:
        with pytest.raises(ServerUnavailable, match=message):
            await client.status(JOB_ID)


async def test_an_error_without_a_sentence_is_told_by_its_status() -> None:
    async with serving(answering(405, ["no"])) as stub, quiet(stub.url) as client:
        with pytest.raises(Rejected, match="405 Whatever"):
            await client.status(JOB_ID)


@pytest.mark.parametrize("url", ["http://localhost:notaport", "http://[::1", "http://a\0b"])
async def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        AsyncClient(url)


async def test_options_that_only_one_of_its_clients_could_have() -> None:
    with pytest.raises(TypeError, match="transport cannot be given"):
        AsyncClient(transport=httpx2.AsyncHTTPTransport())


async def test_a_url_without_a_scheme() -> None:
    async with quiet("localhost:8000") as client:
        with pytest.raises(ServerUnavailable, match="protocol"):
            await client.status(JOB_ID)


@pytest.mark.parametrize("patience", [0, 30])
async def test_a_submit_of_unknown_outcome_is_not_repeated(patience: float) -> None:
    async with (
        serving(ALL_IS_WELL, silent_after_everything, ALL_IS_WELL) as stub,
        quiet(stub.url, patience=patience) as client,
    ):
        await client.status(JOB_ID)
        with pytest.raises(OutcomeUnknown, match="may have become a job"):
            await client.submit(TINY_MP4, pipeline_id="ocr")
        assert len(stub.requests) == 2


@pytest.mark.parametrize("status_code", [500, 502, 504])
async def test_a_failure_after_the_upload_is_an_unknown_outcome(status_code: int) -> None:
    failing = answering(status_code, {"detail": "Something broke."})
    async with serving(failing, ALL_IS_WELL) as stub, quiet(stub.url) as client:
        with pytest.raises(OutcomeUnknown, match="Something broke"):
            await client.submit(TINY_MP4, pipeline_id="ocr")
        assert len(stub.requests) == 1


async def failing_in_the_middle(conversation: Conversation) -> None:
    """Answer 500 half-way through the body."""
    await conversation.read_some(conversation.body_bytes // 2)
    await conversation.answer(500, {"detail": "Something broke."})
    await conversation.hang_up()


async def unreachable_in_the_middle(conversation: Conversation) -> None:
    """Answer half-way through the body as a proxy does that has lost the server."""
    await conversation.read_some(conversation.body_bytes // 2)
    await conversation.answer(502, {"detail": "Bad gateway."})
    await conversation.hang_up()


async def test_a_failure_before_the_end_of_the_upload_leaves_no_job(tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(16 << 20))
    async with serving(failing_in_the_middle) as stub, quiet(stub.url) as client:
        with pytest.raises(ServerUnavailable, match="Something broke") as caught:
            await client.submit(video, pipeline_id="ocr")
    assert type(caught.value) is ServerUnavailable


@pytest.mark.parametrize(
    "first",
    [gone_in_the_middle, unreachable_in_the_middle, answering(503, {"detail": "Stopping."})],
    ids=["broken", "502", "503"],
)
async def test_a_submit_that_cannot_have_become_a_job_is_repeated(
    first: Callable[[Any], Awaitable[None]], tmp_path: Path
) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(16 << 20))
    accepted = answering(200, {"job_id": JOB_ID})
    async with serving(ALL_IS_WELL, first, accepted) as stub, quiet(stub.url) as client:
        await client.status(JOB_ID)
        assert await client.submit(video, pipeline_id="ocr") == JOB_ID
        assert [line.split()[0] for line in stub.requests] == ["GET", "POST", "POST"]


async def test_a_full_disk_is_told_at_once() -> None:
    full = answering(507, {"detail": "The server's disk is full."})
    async with serving(ALL_IS_WELL, full) as stub, quiet(stub.url) as client:
        await client.status(JOB_ID)
        with pytest.raises(ServerUnavailable, match="disk is full") as caught:
            await client.submit(TINY_MP4, pipeline_id="ocr")
        assert type(caught.value) is ServerUnavailable


async def test_a_cancelled_run_leaves_nothing_behind(
    client: AsyncClient, server: ServerProcess, tmp_path: Path
) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(TINY_MP4.read_bytes())
    os.truncate(video, 1 << 30)
    half_way = asyncio.Event()

    def observe(step: Step) -> None:
        if step.sent > 16 << 20:
            half_way.set()

    async with AsyncClient(server.base_url, progress=observe) as observed:
        run = asyncio.create_task(observed.run(video, pipeline_id="nothing"))
        await half_way.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert asyncio.all_tasks() == {asyncio.current_task()}
        incoming = server.data_dir / "video_jobs" / ".incoming"
        await asyncio.to_thread(
            wait_until, lambda: not list(incoming.iterdir()), 30, "The end of the upload"
        )


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_a_cancelled_upload_ends_even_if_the_server_does_not_read(
    tmp_path: Path, encrypted: bool
) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(16 << 20))
    connected, ended = asyncio.Event(), asyncio.Event()
    received = asyncio.get_running_loop().create_future()

    async def read_late(conversation: Conversation) -> None:
        connected.set()
        await ended.wait()
        received.set_result(len(await conversation.read_to_the_end()))

    def upload_has_ended() -> bool:
        return not [t for t in threading.enumerate() if t.name.startswith("upload")]

    tls, verify = certified() if encrypted else (None, True)
    async with serving(read_late, tls=tls) as stub:
        async with quiet(stub.url, verify=verify) as client:
            submit = asyncio.create_task(client.submit(video, pipeline_id="ocr"))
            await connected.wait()
            submit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submit
        await asyncio.to_thread(wait_until, upload_has_ended, 30, "The end of the upload")
        ended.set()
        async with asyncio.timeout(30):
            assert await received < video.stat().st_size


def certified() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server at 127.0.0.1, and for a client that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def test_memory_does_not_grow_with_the_file(client: AsyncClient, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(TINY_MP4.read_bytes())
    os.truncate(video, 128 << 20)
    tracemalloc.start()
    try:
        await client.submit(video, pipeline_id="nothing")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


async def test_the_file_is_opened_off_the_event_loop(client: AsyncClient, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    submitting = asyncio.create_task(client.submit(pipe, pipeline_id="nothing"))
    with pytest.raises(NotFound):  # although opening a pipe takes until somebody writes to it
        await client.status(JOB_ID)
    pipe.open("wb").close()
    with pytest.raises(Rejected):
        await submitting


async def test_every_step_is_told(server: ServerProcess) -> None:
    steps: list[Step] = []
    async with AsyncClient(server.base_url, progress=steps.append) as client:
        job_id = (await client.run(TINY_MP4, pipeline_id="nothing")).job_id
        size = TINY_MP4.stat().st_size
        assert steps[0] == Step(str(TINY_MP4), size, size)
        assert steps[-1] == Step(str(TINY_MP4), job_id=job_id, status=JobStatus.COMPLETED)

        await client.wait(job_id)
        assert steps[-1] == Step(job_id, job_id=job_id, status=JobStatus.COMPLETED)

        steps.clear()
        async for _ in client.run_many([TINY_MP4, TINY_MP4], pipeline_id="nothing"):
            pass
        assert len({s.job_id for s in steps if s.status is JobStatus.COMPLETED}) == 2


async def test_200_files_at_20_at_a_time(
    client: AsyncClient, tmp_path: Path, not_a_video: Path
) -> None:
    video = encode_clip(tmp_path / "video.mp4", numbered_frames(2))
    missing = tmp_path / "missing.mp4"
    paths = [video] * 150 + [not_a_video] + [video] * 48 + [missing]
    done = [d async for d in client.run_many(paths, pipeline_id="echo", concurrency=20)]
    assert sorted(d.path for d in done) == sorted(paths)
    assert {(d.path, type(d.error), d.job_id) for d in done if d.error} == {
        (not_a_video, Rejected, None),
        (missing, FileNotFoundError, None),
    }
    completed = [d.results for d in done if d.results]
    assert [[frame.result["number"] for frame in results] for results in completed] == [
        [0, 1]
    ] * 198
    assert {results.job_id for results in completed} == {d.job_id for d in done if d.results}
    assert len({results.job_id for results in completed}) == 198


async def test_a_path_that_can_name_no_file_is_an_error_of_its_own(client: AsyncClient) -> None:
    paths = [Path("null\0byte.mp4"), TINY_MP4]
    done = {d.path: d async for d in client.run_many(paths, pipeline_id="nothing")}
    assert isinstance(done[paths[0]].error, OSError)
    assert done[TINY_MP4].results


async def test_an_observer_that_raises_stops_nothing(server: ServerProcess) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def observe(step: Step) -> None:
        raise KeyError("mine")

    async with AsyncClient(server.base_url, progress=observe) as client:
        assert await client.run(TINY_MP4, pipeline_id="nothing")
        done = [d async for d in client.run_many([TINY_MP4] * 2, pipeline_id="nothing")]
    assert [d.error for d in done] == [None, None]
    assert len(told) >= 6
    assert all("mine" in str(context["exception"]) for context in told)


async def test_a_failed_job_among_many_keeps_its_id(client: AsyncClient, empty_video: Path) -> None:
    (done,) = [d async for d in client.run_many([empty_video], pipeline_id="nothing")]
    assert isinstance(done.error, JobFailed)
    assert done.error.job_id == done.job_id


async def test_many_are_submitted_without_waiting(client: AsyncClient) -> None:
    slow = await client.submit(TINY_MP4, pipeline_id="sleep")
    done = [d async for d in client.submit_many([TINY_MP4] * 5, pipeline_id="nothing")]
    statuses = [(await client.status(d.job_id)).status for d in done if d.job_id]
    assert statuses == [JobStatus.PENDING] * 5
    await client.wait(slow)


async def test_no_more_at_a_time_than_asked_for() -> None:
    now = most = 0

    async def accept(conversation: Conversation) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await conversation.read_body()
        await asyncio.sleep(0.01)
        now -= 1
        await conversation.answer(200, {"job_id": JOB_ID})

    paths = (TINY_MP4 for _ in range(30))
    async with serving(*[accept] * 30) as stub, quiet(stub.url) as client:
        done = [d async for d in client.submit_many(paths, pipeline_id="ocr", concurrency=4)]
    assert [d.error for d in done] == [None] * 30
    assert most == 4


async def test_nothing_at_a_time_is_refused(client: AsyncClient) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        await anext(client.run_many([TINY_MP4], pipeline_id="nothing", concurrency=0))


async def test_leaving_many_early_ends_the_rest(server: ServerProcess) -> None:
    completed = 0

    def observe(step: Step) -> None:
        nonlocal completed
        completed += step.status is JobStatus.COMPLETED

    async with AsyncClient(server.base_url, progress=observe) as client:
        files = client.run_many([TINY_MP4] * 5, pipeline_id="sleep", concurrency=4)
        async for done in files:
            assert done.results
            break
        await files.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert completed == 1


async def test_pauses_grow_to_a_bound_and_vary() -> None:
    passed, count = 0.0, 0
    for pause in growing_pauses():
        passed, count = passed + pause, count + 1
        assert 0.08 <= pause <= 6
        if passed > 60:
            break
    assert 20 < count < 45
    assert next(growing_pauses()) != next(growing_pauses())
