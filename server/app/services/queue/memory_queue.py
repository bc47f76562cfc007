"""A queue in this process's memory."""

import queue
from uuid import UUID

from app.services.queue.base import QueueService


class MemoryQueue(QueueService):
    """Lost with the process, and meant to be: at start-up it is filled from the database."""

    def __init__(self) -> None:
        self._queue: queue.Queue[UUID] = queue.Queue()

    def enqueue(self, job_id: UUID) -> None:
        self._queue.put_nowait(job_id)

    def dequeue(self) -> UUID | None:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def size(self) -> int:
        return self._queue.qsize()
