"""The lease of the job that a process trains: renewed, checked for stop requests, and given up in time."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.config import Settings
from backpropd.nn.interrupts import STOP, TIME_IS_UP
from backpropd.store.scheduling import fair_queue, job_endings, leases
from backpropd.store.scheduling.claims import Claim
from backpropd.store.sql.database import Database
from worker.heartbeat_board import HeartbeatBoard
from worker.lease_thread import LeaseThread

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_SECONDS = 0.25  # between two attempts to write while the database is unavailable
# Training stops by itself between two chunks of epochs. If it does not within these seconds (in a huge batch, or while
# it reads its table), the lease thread applies the request; if training still continues, it kills the process.
GRACE_SECONDS = {"cancel": 1.0, "pause": 1.0, "deadline": 60.0, "hand_back": 5.0, "turn_over": 5.0}
KILL_SECONDS = 10.0
MIN_TRAINING_SECONDS = 0.25  # of a job whose time was up when its table had been read


class Lease:
    """The lease of one claimed job.

    `request` is why training must stop: 'cancel', 'pause', 'deadline', 'hand_back', 'turn_over' or 'lost'. `interrupt`
    is an array of one int8 that training checks between two batches; it is set together with `request` (see
    `backpropd.nn.interrupts`).
    """

    def __init__(
        self, claim: Claim, since: float, database: Database, settings: Settings, board: HeartbeatBoard
    ) -> None:
        """`since` is a monotonic time just before the claim: the lease ends no earlier than assumed here."""
        self.claim, self.database, self.settings, self.board = claim, database, settings, board
        self.request: str | None = None
        self.interrupt = np.zeros(1, np.int8)
        self._began = self._renewed_at = since
        self._requested_at = 0.0
        self._deadline = self._began + settings.max_job_seconds - claim.training_seconds

    @contextmanager
    def renewed_by(self, thread: LeaseThread) -> Iterator[None]:
        """Have the thread renew the lease while the block runs."""
        self.board.beat()
        try:
            with thread.calling(self._tick):
                yield
        finally:
            self.board.rest()

    @property
    def seconds(self) -> float:
        """How long workers have leased the job, over all attempts."""
        return self.claim.training_seconds + time.monotonic() - self._began

    def begin_training(self, max_seconds: float) -> None:
        """Set the deadline of a job whose training begins now: when it has run for `max_seconds`."""
        left = max_seconds - self.seconds
        self._deadline = time.monotonic() + max(left, MIN_TRAINING_SECONDS)
        if self.request == "deadline":
            self.request, self.interrupt[0], self._requested_at = None, 0, 0.0

    def check(self) -> None:
        """Raise `errors.LeaseLost` if the lease was lost or not renewed in time."""
        if self.request == "lost" or time.monotonic() - self._renewed_at > self.settings.fence_seconds:
            self.request_stop("lost")
            raise errors.LeaseLost(f"the lease of job {self.claim.job_id} is lost")

    def write(self, change: Callable[[Session], Result]) -> Result:
        """Make a change under the fencing token, repeated while the database is unavailable.

        Raises `errors.DatabaseDamaged`, and `errors.LeaseLost` if it stays unavailable until this process has to give
        up the lease.
        """
        return self._repeat(lambda: self.try_to_write(change))

    def read(self, query: Callable[[Session], Result]) -> Result:
        """The result of a query, repeated as in `write`."""

        def read_once() -> Result:
            self.check()
            with self.database.read() as session:
                return query(session)

        return self._repeat(read_once)

    def _repeat(self, action: Callable[[], Result]) -> Result:
        while True:
            try:
                return action()
            except errors.DatabaseDamaged:  # it will not pass
                raise
            except errors.Unavailable as error:
                log.warning("%s: the database is unavailable: %s", self.claim.job_id, error)
                time.sleep(RETRY_SECONDS)

    def try_to_write(self, change: Callable[[Session], Result]) -> Result:
        """Make a change under the fencing token, which renews the lease, once.

        Raises `errors.Unavailable`, `errors.LeaseLost`.
        """
        self.check()
        began = time.monotonic()
        with self.database.write() as session:
            result = change(session)
        self._renewed_at = max(self._renewed_at, began)
        self.board.beat()
        return result

    def _tick(self) -> None:
        if time.monotonic() > self._deadline:  # first: the database may let the rest wait
            self.request_stop("deadline")
        try:
            self._renew_and_check()
        except errors.LeaseLost:
            self.request_stop("lost")
        except errors.Unavailable as error:
            log.warning("%s: no heartbeat: %s", self.claim.job_id, error)
        if self.request is not None:
            self._enforce_stop()

    def _renew_and_check(self) -> None:
        """Renew the lease if it is time, and check for a reason to stop."""
        self.check()
        self.board.beat()
        if time.monotonic() - self._renewed_at >= self.settings.heartbeat_seconds:
            self.request_stop(self.try_to_write(self._renew))
        else:
            with self.database.read() as session:
                self.request_stop(leases.stop_request(session, self.claim))
                yields = self._turn_is_over() and fair_queue.must_yield(session, self.claim.tenant, self.claim.priority)
            self.request_stop("turn_over" if yields else None)
        if self.board.is_stopping():
            self.request_stop("hand_back")

    def _renew(self, session: Session) -> str | None:
        return leases.renew(session, self.claim, self.settings.lease_seconds, self.seconds)

    def _turn_is_over(self) -> bool:
        return time.monotonic() - self._began > self.settings.turn_seconds

    def request_stop(self, request: str | None) -> None:
        """Request that training stops, if there is a reason. The first one counts, but 'cancel' and 'lost' override.

        A deadline is the weakest: a job that is handed back or paused first has its time counted on.
        """
        if request is None or self.request == "lost":
            return
        if self.request in (None, "deadline") or request in ("lost", "cancel"):
            if self.request != request:
                self._requested_at = time.monotonic()
            self.request = request
            self.interrupt[0] = TIME_IS_UP if request == "deadline" else STOP

    def progressed(self) -> None:
        """Let a request wait from now on: a process that has just written epochs is about to stop by itself."""
        self._requested_at = time.monotonic()

    def _enforce_stop(self) -> None:
        """Apply the request if training does not stop by itself, and kill the process if it continues even then."""
        elapsed = time.monotonic() - self._requested_at
        grace = GRACE_SECONDS.get(self.request or "", 0.0)
        if self.request != "lost" and elapsed > grace:
            try:
                self.try_to_write(self.apply_request)
            except (errors.LeaseLost, errors.Unavailable) as error:
                log.warning("%s: %s", self.claim.job_id, error)
            else:
                self.request_stop("lost")
        if elapsed > grace + KILL_SECONDS:
            log.error("%s does not stop: this process is killed and replaced", self.claim.job_id)
            os.kill(os.getpid(), signal.SIGKILL)

    def apply_request(self, session: Session) -> str:
        """Give up the job for the reason in `request`, with its last checkpoint. Returns its status."""
        if self.request == "hand_back":
            return job_endings.hand_back(session, self.claim, "handed back: its worker is shutting down")
        if self.request == "turn_over":
            return job_endings.hand_back(session, self.claim, "its turn is over, and other jobs wait", behind=True)
        if self.request == "deadline":
            return job_endings.fail(session, self.claim, "deadline_exceeded", self._deadline_message())
        return job_endings.apply_request(session, self.claim)

    def _deadline_message(self) -> str:
        return (
            f"the time was up, and no step of training ended within {GRACE_SECONDS['deadline']:.0f} s more: the job is "
            f"stopped after {self.seconds:.0f} s; try a smaller batch_size, fewer rows or a smaller network"
        )
