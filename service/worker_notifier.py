"""The doorbell: a thread that tells the workers of new jobs, so that no request waits for the broker."""

from __future__ import annotations

import threading
import time

from celery import Celery

from backpropd import queue
from backpropd.queue import Ring

MOST_RINGS = 64  # at once: workers that were woken go on by themselves until the queue is empty
REST_SECONDS = {
    Ring.ENOUGH: 0.02,  # an idle worker waits no longer than that for the next ring
    Ring.OUT_OF_ORDER: 1.0,  # the reaper rings for what goes unheard
}


class WorkerNotifier:
    """Rings as often as it was pressed, from its own thread, which starts with the first press."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery
        self._pressed = threading.Condition()
        self._rings = 0
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Have one idle worker woken, soon. Returns at once."""
        with self._pressed:
            self._rings = min(self._rings + 1, MOST_RINGS)
            self._pressed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._ring, name="doorbell", daemon=True)
                self._thread.start()

    def _ring(self) -> None:
        while True:
            with self._pressed:
                self._pressed.wait_for(lambda: self._rings > 0)
                asked, self._rings = self._rings, 0
            answer = queue.ring(self.celery)
            if answer is Ring.HEARD:
                with self._pressed:
                    self._rings = min(self._rings + asked - 1, MOST_RINGS)
            else:
                time.sleep(REST_SECONDS[answer])
