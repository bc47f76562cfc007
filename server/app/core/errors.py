"""Every error that this project raises on purpose.

ForgeSyteError
├── StartupError                the process cannot start, or must not
├── RequestError                a request cannot be served
│   ├── InvalidUpload           the body is not a well-formed MP4 upload
│   ├── CrossSite               a page of another website sends it
│   ├── NotFound                no such job, or it has no results
│   ├── UploadStalled           the client went silent
│   ├── UploadTooLarge          the file is larger than allowed
│   ├── UnknownPipeline         no such pipeline is installed
│   ├── Unavailable             stopping, or short of something
│   └── StorageFull             the disk has no room
├── DatabaseError               the database did not take or give something; nothing was changed
│   └── DatabaseBroken          it never will again in this process
├── StorageError                a key that storage refuses
│   └── FileMissing             no file under that key
├── JobStateError               a transition that the state machine does not know
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

Messages are for the person who called: a sentence, without paths and without tracebacks. What they
are over HTTP stands in `api_routes/error_handlers.py`.
"""

from typing import Self


class ForgeSyteError(Exception):
    """The root of the tree."""


class StartupError(ForgeSyteError):
    """Its message is the one line that a failed start prints, whatever a path in it holds."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class RequestError(ForgeSyteError):
    """Its message is the answer to the request."""


class InvalidUpload(RequestError):
    """The body is not a well-formed upload of an MP4."""


class CrossSite(RequestError):
    """A page of another website sends it, and its origin is not allowed to."""


class NotFound(RequestError):
    """There is no such job, or it has no results."""


class UploadStalled(RequestError):
    """The client sent nothing for too long."""


class UploadTooLarge(RequestError):
    """The file is larger than allowed."""

    @classmethod
    def than(cls, limit: int) -> Self:
        return cls(f"The file is larger than the {limit} bytes allowed.")


class UnknownPipeline(RequestError):
    """No pipeline of that name is installed."""


class Unavailable(RequestError):
    """The process is stopping, or short of something that it may have again later."""

    @classmethod
    def stopping(cls) -> Self:
        return cls("The server is stopping; submit again when it is back.")


class StorageFull(RequestError):
    """The disk has no room for the upload."""


class DatabaseError(ForgeSyteError):
    """The database did not take or give something; nothing was changed."""


class DatabaseBroken(DatabaseError):
    """DuckDB has declared the database unusable; only a new process mends that."""


class StorageError(ForgeSyteError):
    """A key that leaves the storage root, or names nothing that can be a file in it."""


class FileMissing(StorageError):
    """No file is stored under the key."""


class JobStateError(ForgeSyteError):
    """A defect of ours: the job is not in the state that the transition begins at."""


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
