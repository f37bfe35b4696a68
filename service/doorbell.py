"""The doorbell: a thread that tells the workers of new jobs, so that no request waits for the broker."""

from __future__ import annotations

import threading
import time

from celery import Celery

from backpropd import queue

MOST_RINGS = 64  # at once: workers that were woken go on by themselves until the queue is empty
OUT_OF_ORDER_SECONDS = 1.0  # the sweeper rings for what goes unheard in this time


class Doorbell:
    """Rings as often as it was pressed, from its own thread, which starts with the first press."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery
        self._pressed = threading.Condition()
        self._rings = 0
        self._thread: threading.Thread | None = None

    def press(self) -> None:
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
                self._rings -= 1
            if not queue.ring(self.celery):
                time.sleep(OUT_OF_ORDER_SECONDS)
                with self._pressed:
                    self._rings = 0
