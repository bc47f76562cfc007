"""Every error that this project raises on purpose.

ForgeSyteError
├── StartupError                the process cannot start, or must not
├── RequestError                a request cannot be served; knows its HTTP status
│   ├── InvalidUpload       400 the body is not a well-formed MP4 upload
│   ├── NotFound            404 no such job, or it has no results
│   ├── UploadStalled       408 the client went silent
│   ├── UploadTooLarge      413
│   ├── UnknownPipeline     422
│   ├── Unavailable         503 stopping, or the database cannot take it
│   └── StorageFull         507
├── StorageError                a key that storage refuses
│   └── FileMissing             no file under that key
├── VideoError                  a video that cannot be judged whole; also a ValueError
├── PipelineError               a pipeline that cannot be built or run
└── ResultError                 a result that is not strict JSON; also a ValueError

Messages are for the person who called: a sentence, without paths and without tracebacks.
"""

from http import HTTPStatus
from typing import ClassVar


class ForgeSyteError(Exception):
    """The root of the tree."""


class StartupError(ForgeSyteError):
    """Its message is the one line that a failed start prints."""


class RequestError(ForgeSyteError):
    """Answered as `{"detail": str(error)}` with the class's status."""

    status: ClassVar[HTTPStatus]


class InvalidUpload(RequestError):
    status = HTTPStatus.BAD_REQUEST


class NotFound(RequestError):
    status = HTTPStatus.NOT_FOUND


class UploadStalled(RequestError):
    status = HTTPStatus.REQUEST_TIMEOUT


class UploadTooLarge(RequestError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnknownPipeline(RequestError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(RequestError):
    status = HTTPStatus.SERVICE_UNAVAILABLE


class StorageFull(RequestError):
    status = HTTPStatus.INSUFFICIENT_STORAGE


class StorageError(ForgeSyteError):
    """A key that leaves the storage root, or names nothing that can be a file in it."""


class FileMissing(StorageError):
    """No file is stored under the key."""


class VideoError(ForgeSyteError, ValueError):
    """The file is not a whole, decodable video within the limits."""


class PipelineError(ForgeSyteError):
    """The pipeline is unknown, cannot be built, or broke its contract."""


class ResultError(ForgeSyteError, ValueError):
    """A pipeline's result cannot be written as strict JSON."""
