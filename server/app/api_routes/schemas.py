"""The bodies that the API answers with."""

from uuid import UUID

from pydantic import BaseModel


class JobSubmitted(BaseModel):
    job_id: UUID


class Problem(BaseModel):
    """What every error answers."""

    detail: str
