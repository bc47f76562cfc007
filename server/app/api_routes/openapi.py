"""What the description of the interface says beyond what FastAPI reads off the routes: the whole in
words, and what each route can answer besides 200."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeAlias

from app.api_routes.schemas import EXAMPLE_ID, Problem

TITLE = "ForgeSyte video jobs"
VERSION = version("forgesyte-video-jobs")
DESCRIPTION = """
Upload an MP4, get a job id at once, ask for its status, fetch the results frame by frame.

Jobs run one at a time, in the order of submission. Ask for the status until it is `completed` or
`failed`: whatever `submit` has answered with 200 gets there, restarts of the server included.
There is no authentication.
"""

Responses: TypeAlias = dict[int | str, dict[str, Any]]

MEANINGS = {
    400: "The file is not an MP4, or the form is malformed.",
    403: "A page of another website has sent it.",
    404: "There is no such job.",
    408: "The upload sent nothing for too long.",
    413: "The file is larger than allowed.",
    422: "A field is missing or malformed, or the pipeline is not installed.",
    500: "The server has failed.",
    503: "The server is stopping, or cannot take it now: try again later.",
    507: "The server's disk is full.",
}
AT_ANY_TIME = {
    500: ["The server has failed; its log says why."],
    503: ["The database cannot take this now; try again later."],
}
NO_JOB = f"There is no job {EXAMPLE_ID}."
NO_JOB_ID = "job_id: Input should be a valid UUID, invalid length: found 1"


def failures(
    sentences: Mapping[int, Sequence[str]], meanings: Mapping[int, str] = MEANINGS
) -> Responses:
    """The `responses` of a route: what each status means, and what `detail` may say."""
    return {
        status: {
            "model": Problem,
            "description": meanings[status],
            "content": {
                "application/json": {
                    "examples": {text: {"value": {"detail": text}} for text in details}
                }
            },
        }
        for status, details in sorted({**AT_ANY_TIME, **sentences}.items())
    }


OF_SUBMIT = failures(
    {
        400: [
            "The file is not an MP4 video: it does not begin with an ftyp box.",
            "The request must be a multipart/form-data form.",
        ],
        403: [
            "A page of another website has sent this; it would have to stand in "
            "FORGESYTE_CORS_ORIGINS."
        ],
        408: ["The upload sent nothing for 60 seconds."],
        413: ["The file is larger than the 4294967296 bytes allowed."],
        422: [
            "There is no pipeline 'faces'; installed: barcodes, objects, ocr, quality, shots.",
            "pipeline_id: Field required",
        ],
        503: [
            "The server is stopping; submit again when it is back.",
            "The server cannot store it now; try again later.",
            *AT_ANY_TIME[503],
        ],
        507: ["The server's disk is full; try again later."],
    }
)
OF_STATUS = failures({404: [NO_JOB], 422: [NO_JOB_ID]}, MEANINGS | {422: "That is no job id."})
OF_RESULTS = failures(
    {
        404: [
            f"Job {EXAMPLE_ID} is running; it has no results yet.",
            f"Job {EXAMPLE_ID} has failed: decoded 90 of 132 frames: the file is truncated",
            f"The results of job {EXAMPLE_ID} are gone from the storage.",
            NO_JOB,
        ],
        422: [NO_JOB_ID],
    },
    MEANINGS
    | {
        404: "There is no such job, it is not completed yet, it has failed, or its file is gone.",
        422: "That is no job id.",
    },
)
