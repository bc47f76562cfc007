"""The client against the real server, and against servers that break."""

import asyncio
import io
import json
import os
import ssl
import sys
import threading
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
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
    upload,
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


async def test_what_ends_the_waiting_tells_the_job(client: AsyncClient) -> None:
    with pytest.raises(WaitTimeout) as caught:
        await client.run(TINY_MP4, pipeline_id="sleep", timeout=0.1)
    job_id = caught.value.job_id
    assert job_id is not None
    assert caught.value.__notes__ == [f"The job is {job_id}."]

    waiting = asyncio.create_task(client.wait(job_id))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await waiting
    assert cancelled.value.__notes__ == [f"The job is {job_id}."]
    assert (await client.wait(job_id)).status is JobStatus.COMPLETED


async def test_what_ends_many_tells_every_job_under_way(server: ServerProcess) -> None:
    known: set[str | None] = set()
    all_known = asyncio.Event()

    def observe(step: Step) -> None:
        known.add(step.job_id)
        if len(known - {None}) == 2:
            all_known.set()

    async def run_both(client: AsyncClient) -> None:
        async for _ in client.run_many([TINY_MP4] * 2, pipeline_id="sleep"):
            pass

    async with AsyncClient(server.base_url, progress=observe) as client:
        running = asyncio.create_task(run_both(client))
        await all_known.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await running
        notes = {f"The job of {TINY_MP4} is {job_id}." for job_id in known if job_id}
        assert {*cancelled.value.__notes__} == notes
        for job_id in filter(None, known):
            await client.wait(job_id)


async def test_what_goes_wrong_with_one_of_many_has_its_id(
    server: ServerProcess, empty_video: Path
) -> None:
    async with quiet(server.base_url) as client:
        (done,) = [d async for d in client.run_many([empty_video], pipeline_id="nothing")]
    assert isinstance(done.error, JobFailed)
    assert done.error.job_id == done.job_id
    assert done.error.__notes__ == [f"The job is {done.job_id}."]


async def test_a_missing_file(client: AsyncClient, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await client.submit(tmp_path / "none.mp4", pipeline_id="nothing")


async def test_a_file_that_shrinks_is_not_submitted(server: ServerProcess, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(TINY_MP4.read_bytes() + bytes(4 * PIECE_BYTES))

    def cut(sent: int, size: int) -> None:
        os.truncate(video, PIECE_BYTES)

    shrinking = Upload(video, "nothing", cut)
    with httpx2.Client(base_url=server.base_url) as http, pytest.raises(OSError, match="shorter"):
        shrinking.send(http)
    assert not shrinking.sent_whole


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


HTML = b"<html>"
NOT_OURS = {
    "gateway": (502, HTML, {}),
    "cloudflare": (522, HTML, {}),
    "dns": (530, b"error code: 1016", {}),
    "timeout": (408, HTML, {}),
    "backend": (404, b"default backend - 404", {}),
    "moved": (302, HTML, {"Location": "https://sign.in/"}),
    "page": (200, HTML, {}),
    "other": (200, {"job_id": "1"}, {}),
    "bare": (500, b"Internal Server Error", {}),
    "list": (403, {"detail": ["no"]}, {}),
    "limit": (429, HTML, {"Retry_After": "1"}),
}
not_ours = pytest.mark.parametrize("answer", NOT_OURS.values(), ids=NOT_OURS)


@not_ours
async def test_what_answers_in_the_place_of_the_server_is_waited_out(answer: Any) -> None:
    status_code, body, headers = answer
    away = answering(status_code, body, **headers)
    async with serving(ALL_IS_WELL, away, ALL_IS_WELL) as stub, quiet(stub.url) as client:
        await client.status(JOB_ID)
        assert (await client.status(JOB_ID)).job_id == JOB_ID


@not_ours
async def test_what_answers_in_the_place_of_the_server_is_named_in_the_end(answer: Any) -> None:
    status_code, body, headers = answer
    async with (
        serving(*[answering(status_code, body, **headers)] * 2) as stub,
        quiet(stub.url, patience=0) as client,
    ):
        for ask in (client.status(JOB_ID), client.copy_results(JOB_ID, io.BytesIO())):
            with pytest.raises((Rejected, ServerUnavailable)) as caught:
                await ask
            told = f"{stub.url} answered {status_code} Whatever"
            assert str(caught.value).startswith(told)
            assert "not what a ForgeSyte server says" in str(caught.value)


@pytest.mark.parametrize("status_code", [401, 413])
async def test_a_refusal_that_no_waiting_changes_is_told_at_once(status_code: int) -> None:
    refusing = answering(status_code, HTML)
    async with serving(ALL_IS_WELL, refusing) as stub, quiet(stub.url) as client:
        await client.status(JOB_ID)
        with pytest.raises(Rejected, match=f"answered {status_code}"):
            await client.submit(TINY_MP4, pipeline_id="ocr")


async def test_a_server_tells_how_long_it_wants_to_be_left_alone() -> None:
    def soon() -> str:
        return format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)

    for kind in ("seconds", "date"):
        value = "2" if kind == "seconds" else soon()
        busy = answering(503, {"detail": "Busy."}, Retry_After=value)
        async with serving(busy, ALL_IS_WELL) as stub, quiet(stub.url) as client:
            before = asyncio.get_running_loop().time()
            await client.status(JOB_ID)
            assert asyncio.get_running_loop().time() - before >= 1.5

    too_long = answering(503, {"detail": "Busy."}, Retry_After="120")
    async with serving(too_long) as stub, quiet(stub.url) as client:
        with pytest.raises(ServerUnavailable, match="Busy"):
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


@pytest.mark.parametrize("status_code", [200, 500, 502, 504, 524])
async def test_a_failure_after_the_upload_is_an_unknown_outcome(status_code: int) -> None:
    failing = answering(status_code, HTML)
    async with serving(failing, ALL_IS_WELL) as stub, quiet(stub.url) as client:
        with pytest.raises(OutcomeUnknown, match=f"{status_code} Whatever"):
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


async def test_a_pipe_is_read_to_its_end(client: AsyncClient, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    running = asyncio.create_task(client.run(pipe, pipeline_id="nothing"))
    await asyncio.to_thread(pipe.write_bytes, TINY_MP4.read_bytes())
    assert len(await running) == FRAME_COUNT


async def test_what_came_through_a_pipe_is_not_sent_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    async with serving(ALL_IS_WELL, gone_in_the_middle) as stub, quiet(stub.url) as client:
        await client.status(JOB_ID)
        submitting = asyncio.create_task(client.submit(pipe, pipeline_id="ocr"))
        await asyncio.to_thread(pipe.write_bytes, TINY_MP4.read_bytes())
        with pytest.raises(ServerUnavailable):
            await submitting
        assert len(stub.requests) == 2


async def test_a_pipe_that_nothing_comes_through_can_be_left(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    async with quiet("http://127.0.0.1:1") as client:
        submitting = asyncio.create_task(client.submit(pipe, pipeline_id="ocr"))
        with await asyncio.to_thread(pipe.open, "wb"):
            submitting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submitting
            await asyncio.to_thread(wait_until, lambda: not uploading(), 30, "The end of reading")


def uploading() -> bool:
    """Whether a thread still reads what is to be uploaded."""
    stacks = map(traceback.walk_stack, sys._current_frames().values())
    files = {frame.f_code.co_filename for stack in stacks for frame, _ in stack}
    return upload.__file__ in files


async def test_pipelines_are_those_of_the_server(client: AsyncClient) -> None:
    assert {"barcodes", "nothing", "ocr"} <= {*await client.pipelines()}
    other = answering(422, {"detail": "pipeline_id: Field required"})
    async with (
        serving(other, answering(200, {"job_id": JOB_ID})) as stub,
        quiet(stub.url, patience=0) as odd,
    ):
        for error in (Rejected, ServerUnavailable):
            with pytest.raises(error):
                await odd.pipelines()


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
