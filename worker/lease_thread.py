"""The thread of a training process that renews the lease of its job."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5


class LeaseThread:
    """Calls a function every `TICK_SECONDS`. One thread serves job after job, and ends when it finds no function.

    To start a thread for each job would double the time of a tiny one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tick: Callable[[], None] | None = None
        self._alive = False

    @contextmanager
    def calling(self, tick: Callable[[], None]) -> Iterator[None]:
        """Call `tick` regularly while the block runs; no call is in progress after it."""
        with self._lock:
            self._tick = tick
            if not self._alive:
                threading.Thread(target=self._run, name="lease", daemon=True).start()
                self._alive = True
        try:
            yield
        finally:
            with self._lock:
                self._tick = None

    def _run(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            with self._lock:
                if self._tick is None:
                    self._alive = False
                    return
                try:
                    self._tick()
                except Exception:  # the lease is lost if it cannot be renewed in time, and the next one is not
                    log.exception("the lease was not checked")
