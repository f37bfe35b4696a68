"""The thread of a worker process that looks after its job, while it has one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.5


class LeaseThread:
    """Looks every half second. Its thread serves one job after the other, and ends when it finds none to look after.

    To start one for each job would take a tiny one as long as its training does.
    """

    def __init__(self) -> None:
        self._watching = threading.Lock()
        self._look: Callable[[], None] | None = None
        self._alive = False

    @contextmanager
    def keeping(self, look: Callable[[], None]) -> Iterator[None]:
        """Call `look` every half second while the block runs; none is under way when it is left."""
        with self._watching:
            self._look = look
            if not self._alive:
                threading.Thread(target=self._watch, name="keeper", daemon=True).start()
                self._alive = True
        try:
            yield
        finally:
            with self._watching:
                self._look = None

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            with self._watching:
                self._alive = False  # for what comes after, should a look end in an error that nobody foresaw
                if self._look is None:
                    return
                self._look()
                self._alive = True
