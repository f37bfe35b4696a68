"""A thread that sends workers their wake-up messages, so that no request waits for the broker."""

import threading
import time

from celery import Celery

from backpropd import queue
from backpropd.queue import WakeUpResult

MAX_PENDING = 64  # a worker that was woken up trains until the queue is empty
PAUSE_SECONDS = {
    WakeUpResult.ENOUGH_WAITING: 0.02,  # the longest time that an idle worker waits for its message
    WakeUpResult.UNAVAILABLE: 1.0,  # the reaper sends what is lost
}


class WorkerNotifier:
    """Sends one wake-up message for each `notify`, from a thread that the first one starts."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery
        self._notified = threading.Condition()
        self._pending = 0
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Have one idle worker woken up soon. Returns at once."""
        with self._notified:
            self._pending = min(self._pending + 1, MAX_PENDING)
            self._notified.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._send, name="worker-notifier", daemon=True)
                self._thread.start()

    def _send(self) -> None:
        while True:
            with self._notified:
                self._notified.wait_for(lambda: self._pending > 0)
                taken, self._pending = self._pending, 0
            result = queue.wake_up(self.celery)
            if result is WakeUpResult.SENT:
                with self._notified:
                    self._pending = min(self._pending + taken - 1, MAX_PENDING)
            else:
                time.sleep(PAUSE_SECONDS[result])
