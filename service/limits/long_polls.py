"""Long polls: how long a request may wait for the end of a job, while each waiting request holds a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

NO_SLOT_SECONDS = 0.5  # the wait that is left when all slots are taken


class LongPolls:
    """Slots for requests that wait longer than `NO_SLOT_SECONDS`."""

    def __init__(self, max_waits: int) -> None:
        self._slots = threading.BoundedSemaphore(max_waits)

    @contextmanager
    def slot(self, seconds: float) -> Iterator[float]:
        """The seconds that the request may wait: the requested ones, or `NO_SLOT_SECONDS` when no slot is free."""
        if seconds <= NO_SLOT_SECONDS or not self._slots.acquire(blocking=False):
            yield min(seconds, NO_SLOT_SECONDS)
            return
        try:
            yield seconds
        finally:
            self._slots.release()
