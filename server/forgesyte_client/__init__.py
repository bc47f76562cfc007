"""A client of the ForgeSyte video job server, for notebooks, scripts and services.

    async with AsyncClient("http://127.0.0.1:8000") as client:
        results = await client.run("video.mp4", pipeline_id="ocr")

`Client` does the same without `await`. It needs httpx2 and tqdm; tables and plots of the results
need pandas, matplotlib and PyAV too, which are imported when first used.
"""

from forgesyte_client.async_client import DEFAULT_URL, AsyncClient
from forgesyte_client.client import Client
from forgesyte_client.errors import (
    ForgeSyteClientError,
    JobFailed,
    NotFound,
    OutcomeUnknown,
    Rejected,
    ServerUnavailable,
    WaitTimeout,
)
from forgesyte_client.models import Frame, Job, JobStatus
from forgesyte_client.progress import Observer, Step
from forgesyte_client.results import Done, Results

__all__ = [
    "DEFAULT_URL",
    "AsyncClient",
    "Client",
    "Done",
    "ForgeSyteClientError",
    "Frame",
    "Job",
    "JobFailed",
    "JobStatus",
    "NotFound",
    "Observer",
    "OutcomeUnknown",
    "Rejected",
    "Results",
    "ServerUnavailable",
    "Step",
    "WaitTimeout",
]
