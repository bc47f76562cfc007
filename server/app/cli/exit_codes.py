"""How the command ends: a code for each kind of outcome."""

from enum import IntEnum

from forgesyte_client import NotFound, OutcomeUnknown, Rejected, ServerUnavailable, WaitTimeout


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    REFUSED = 4
    NOT_FOUND = 5
    TIMEOUT = 6
    UNKNOWN = 7


EXPLAINED = """
Exit codes:
0  done
1  a job has failed, or a file cannot be read or written
2  wrong usage, a file that is not there included
3  the server cannot be reached, or cannot start
4  the server refuses the file, the pipeline or the id
5  there is no such job, or it has no results yet
6  a job was not over within --timeout
7  the upload was sent whole, but its outcome is unknown: it may have become a job
130  interrupted by Ctrl-C; jobs that are submitted go on
Of several files, the highest counts.
"""


def exit_code(error: Exception | None) -> ExitCode:
    match error:
        case None:
            return ExitCode.DONE
        case OutcomeUnknown():
            return ExitCode.UNKNOWN
        case ServerUnavailable():
            return ExitCode.UNAVAILABLE
        case Rejected():
            return ExitCode.REFUSED
        case NotFound():
            return ExitCode.NOT_FOUND
        case WaitTimeout():
            return ExitCode.TIMEOUT
    return ExitCode.FAILED
