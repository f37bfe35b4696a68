"""Long polls: how long a request may wait for the end of a job, while each waiting request holds a thread."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from backpropd import errors
from service.limits.concurrency_limit import ConcurrencyLimit, Holder

NO_SLOT_SECONDS = 0.5  # the wait that is left when all slots are taken


class LongPolls:
    """Slots for requests that wait longer than `NO_SLOT_SECONDS`."""

    def __init__(self, slots: ConcurrencyLimit) -> None:
        self._slots = slots

    @contextmanager
    def slot(self, holder: Holder, seconds: float) -> Iterator[float]:
        """The seconds that the request may wait: the requested ones, or `NO_SLOT_SECONDS` when no slot is free."""
        with ExitStack() as held:
            if seconds > NO_SLOT_SECONDS:
                try:
                    held.enter_context(self._slots.slot(holder))
                except errors.RetryLater:
                    seconds = NO_SLOT_SECONDS
            yield seconds
