"""A lease being kept: a thread that renews it, listens for what is asked of the job, and fences itself in time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np

from backpropd import errors
from backpropd.config import Settings
from backpropd.store import claims
from backpropd.store.claims import Claim
from backpropd.store.database import Database

log = logging.getLogger(__name__)

LISTEN_SECONDS = 0.5


class Lease:
    """Keeps one claim alive while its block runs.

    `request` is what training must stop for: 'cancel', 'pause', 'hand_back' or 'lost'. `interrupt` is an array of one
    int8 that training looks at between two batches; it is set together with `request`.
    """

    def __init__(self, claim: Claim, database: Database, settings: Settings, stopping: Callable[[], bool]) -> None:
        self.claim, self.database, self.settings, self.stopping = claim, database, settings, stopping
        self.request: str | None = None
        self.interrupt = np.zeros(1, np.int8)
        self._renewed_at = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise `errors.LeaseLost` if the lease was lost or could not be renewed in time."""
        if self.request == "lost" or time.monotonic() - self._renewed_at > self.settings.fence_seconds:
            self.hear("lost")
            raise errors.LeaseLost(f"the lease of job {self.claim.job_id} is lost")

    @contextmanager
    def fence(self) -> Iterator[None]:
        """Around a write that renews the lease: not begun after the worker's own deadline, noted when done."""
        self.check()
        began = time.monotonic()
        yield
        self._renewed_at = max(self._renewed_at, began)

    def _keep(self) -> None:
        while not self._over.wait(LISTEN_SECONDS):
            try:
                self._beat()
            except errors.LeaseLost:
                self.hear("lost")
            except errors.Unavailable as away:
                log.warning("%s: no heartbeat: %s", self.claim.job_id, away)
            if self.request is not None:
                return

    def _beat(self) -> None:
        self.check()
        if self.stopping():
            self.hear("hand_back")
        elif time.monotonic() - self._renewed_at >= self.settings.heartbeat_seconds:
            with self.fence(), self.database.write() as session:
                self.hear(claims.renew(session, self.claim, self.settings.lease_seconds))
        else:
            with self.database.read() as session:
                self.hear(claims.asked(session, self.claim))

    def hear(self, request: str | None) -> None:
        """Note what is asked of the job; what is lost stays lost."""
        if request is not None and self.request != "lost":
            self.request = request
            self.interrupt[0] = 1
