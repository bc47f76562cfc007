"""The files of trained models that lie beside the pipelines."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.core.errors import PipelineError

_FOLDER = Path(__file__).with_name("models")


@dataclass(frozen=True)
class ModelFile:
    """sha256: of its whole content, in hexadecimal."""

    name: str
    sha256: str

    def checked(self) -> Path:
        """Where the file is, once its content has proved to be the right one.

        Raises:
            PipelineError: it cannot be read, or holds something else.
        """
        path = _FOLDER / self.name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PipelineError(
                f"The model file {self.name} cannot be read ({error.strerror}); "
                "installing the server again brings it back."
            ) from error
        if sha256(content).hexdigest() != self.sha256:
            raise PipelineError(
                f"The model file {self.name} was altered; "
                "installing the server again brings back the right one."
            )
        return path
