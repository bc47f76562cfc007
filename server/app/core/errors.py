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
├── JobStateError               a move that the state machine does not know
├── VideoError                  a video that cannot be judged whole; also a ValueError
│   ├── NotAnMp4                the file has no MP4 structure
│   ├── TruncatedVideo          the end of the file is missing
│   ├── DamagedVideo            a part of the file is unreadable
│   ├── NoVideoTrack            the file holds no moving pictures
│   ├── UnsupportedCodec        the video is of a kind that cannot be decoded here
│   ├── NoFrames                the video track holds no frame
│   ├── FrameTooLarge           a frame has more pixels than allowed
│   └── TooManyFrames           the video has more frames than allowed
├── PipelineError               a pipeline that cannot be built or run
└── ResultError                 a result that is not strict JSON; also a ValueError

Messages are for the person who called: a sentence, without paths and without tracebacks.
"""

from http import HTTPStatus
from typing import ClassVar, Self


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

    @classmethod
    def than(cls, limit: int) -> Self:
        return cls(f"The file is larger than the {limit} bytes allowed.")


class UnknownPipeline(RequestError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(RequestError):
    status = HTTPStatus.SERVICE_UNAVAILABLE

    @classmethod
    def stopping(cls) -> Self:
        return cls("The server is stopping; submit again when it is back.")


class StorageFull(RequestError):
    status = HTTPStatus.INSUFFICIENT_STORAGE


class StorageError(ForgeSyteError):
    """A key that leaves the storage root, or names nothing that can be a file in it."""


class FileMissing(StorageError):
    """No file is stored under the key."""


class JobStateError(ForgeSyteError):
    """A defect of ours: the job is not in the state that the move begins at."""


class VideoError(ForgeSyteError, ValueError):
    """The file is not a whole, decodable video within the limits."""


class NotAnMp4(VideoError):
    """The file has no MP4 structure."""


class TruncatedVideo(VideoError):
    """The end of the file is missing."""


class DamagedVideo(VideoError):
    """A part of the file is unreadable, or decodes with errors."""


class NoVideoTrack(VideoError):
    """The file holds no moving pictures."""


class UnsupportedCodec(VideoError):
    """No decoder for the video's codec is at hand."""


class NoFrames(VideoError):
    """The video track holds no frame."""


class FrameTooLarge(VideoError):
    """A frame has more pixels than the limit allows."""


class TooManyFrames(VideoError):
    """The video has more frames than the limit allows."""


class PipelineError(ForgeSyteError):
    """The pipeline is unknown, cannot be built, or broke its contract."""


class ResultError(ForgeSyteError, ValueError):
    """A pipeline's result cannot be written as strict JSON."""
