"""What waits for the worker: the contract of every queue."""

from abc import ABC, abstractmethod
from uuid import UUID


class QueueService(ABC):
    """Job ids in the order in which they were put in. Nothing but the id is ever queued: what is
    known of a job stands in the database. All methods may be called from any thread."""

    @abstractmethod
    def enqueue(self, job_id: UUID) -> None:
        """Put an id at the end."""

    @abstractmethod
    def dequeue(self) -> UUID | None:
        """Take the id at the front, or None when the queue is empty; never waits."""

    @abstractmethod
    def size(self) -> int:
        """The number of ids waiting."""
