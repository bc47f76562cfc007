"""Every error that the client raises on purpose.

ForgeSyteClientError
├── Rejected               the server refuses the request, and would again
├── NotFound               no such job, or it has no results yet
├── JobFailed              the job has ended without results
├── WaitTimeout            the job is not over yet; also a TimeoutError
└── ServerUnavailable      the server cannot be reached, or cannot do it now
    └── OutcomeUnknown     ... and the upload may have become a job all the same

A file that cannot be read raises the OSError that reading it raised.
"""


class ForgeSyteClientError(Exception):
    """The root of the tree. Its message is the server's sentence where there is one.

    `job_id` is the job that it is about, if there is one: whatever ends `run`, `run_many` or `wait`
    when they have a job also has a note of its id.
    """

    job_id: str | None = None


class Rejected(ForgeSyteClientError):
    """Not an MP4, too large, an unknown pipeline, a malformed job id.

    4xx, but for 404, and for 408 and 429, which are ServerUnavailable.
    """

    def __init__(self, status_code: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code = status_code
        self.detail = detail


class NotFound(ForgeSyteClientError):
    """There is no such job, or it has no results yet."""


class JobFailed(ForgeSyteClientError):
    """`reason` is why, in the words of the server."""

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"Job {job_id} has failed: {reason}")
        self.job_id = job_id
        self.reason = reason


class WaitTimeout(ForgeSyteClientError, TimeoutError):
    """The job goes on; it can be waited for again."""


class ServerUnavailable(ForgeSyteClientError):
    """No connection, a broken one, an answer of 5xx, 408 or 429, or none of a ForgeSyte server."""


class OutcomeUnknown(ServerUnavailable):
    """The whole upload was sent, but no answer came: it may have become a job, or not.

    Submitting again is safe where the same video twice does no harm.
    """
