"""Trained models as ONNX Runtime runs them.

Importing this module loads ONNX Runtime.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from onnxruntime import InferenceSession, SessionOptions

from app.core.errors import PipelineError
from app.services.pipelines.model_files import ModelFile

_opening = Lock()


def session_of(model: ModelFile) -> InferenceSession:
    """The one session of a model in this process: any number of threads may run it at a time.

    Raises:
        PipelineError: the file is missing or was altered.
    """
    with _opening:
        return _open(model)


@contextmanager
def failing(sentence: str) -> Iterator[None]:
    """Say what could not be done: ONNX Runtime tells of its own source code."""
    try:
        yield
    except Exception as error:
        raise PipelineError(f"{sentence} ({type(error).__name__}).") from error


@cache
def _open(model: ModelFile) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # frames are shared out already
    options.log_severity_level = 4  # what fails is raised as well
    # A plan for the memory of a whole run takes twice as much as what is alive at a time. Without
    # an arena, the system would clear every page anew.
    options.enable_mem_pattern = False
    provider = ("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})
    return InferenceSession(model.checked(), options, providers=[provider])
