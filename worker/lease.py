"""A lease being kept: renewed, with an ear for what is asked of the job, and fenced in time."""

from __future__ import annotations

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
from backpropd.store.scheduling import fair_queue, job_endings, leases
from backpropd.store.scheduling.claims import Claim
from backpropd.store.sql.database import Database
from worker.heartbeat_board import HeartbeatBoard
from worker.lease_thread import LeaseThread

log = logging.getLogger(__name__)

Result = TypeVar("Result")

AGAIN_SECONDS = 0.25  # between two tries to write while the database is away
# Between two chunks training obeys at once. Where it does not, in the middle of a huge batch or while it reads its
# table, the keeper's thread carries out what was asked; and ends a process that goes on for nothing.
PATIENCE = {"cancel": 1.0, "pause": 1.0, "deadline": 1.0, "hand_back": 5.0, "turn_over": 5.0}
STUCK_SECONDS = 10.0
OVERTIME_SECONDS = 10.0  # past `max_seconds`, for the epoch under way to end


class Lease:
    """One claim, kept alive while a worker trains its job.

    `request` is what training must stop for: 'cancel', 'pause', 'deadline', 'hand_back', 'turn_over' or 'lost'.
    `interrupt` is an array of one int8 that training looks at between two batches; it is set together with `request`.
    """

    def __init__(
        self, claim: Claim, since: float, database: Database, settings: Settings, board: HeartbeatBoard
    ) -> None:
        """`since` is a moment (monotonic) before the claim was made: the lease is not older than that."""
        self.claim, self.database, self.settings, self.board = claim, database, settings, board
        self.request: str | None = None
        self.interrupt = np.zeros(1, np.int8)
        self._began = self._renewed_at = since
        self._heard_at = 0.0
        self._deadline = self._began + settings.max_job_seconds - claim.training_seconds

    @contextmanager
    def kept(self, keeper: LeaseThread) -> Iterator[None]:
        """Have the keeper look after it while the block runs."""
        self.board.beat()
        try:
            with keeper.keeping(self._look):
                yield
        finally:
            self.board.rest()

    @property
    def seconds(self) -> float:
        """How long workers have held the job, in all."""
        return self.claim.training_seconds + time.monotonic() - self._began

    def end_within(self, seconds: float) -> None:
        """Training begins, and has so long."""
        self._deadline = min(self._deadline, time.monotonic() + seconds + OVERTIME_SECONDS)

    def check(self) -> None:
        """Raise `errors.LeaseLost` if the lease was lost or could not be renewed in time."""
        if self.request == "lost" or time.monotonic() - self._renewed_at > self.settings.fence_seconds:
            self.hear("lost")
            raise errors.LeaseLost(f"the lease of job {self.claim.job_id} is lost")

    def write(self, change: Callable[[Session], Result]) -> Result:
        """Make a change that is fenced by the claim's token, again and again while the database is away and it may be.

        Raises `errors.LeaseLost` when the worker's own deadline has come before the database has.
        """
        return self._patiently(lambda: self.try_to_write(change))

    def read(self, look: Callable[[Session], Result]) -> Result:
        """Look, with the patience of `write`."""

        def looking() -> Result:
            self.check()
            with self.database.read() as session:
                return look(session)

        return self._patiently(looking)

    def _patiently(self, do: Callable[[], Result]) -> Result:
        while True:
            try:
                return do()
            except errors.Unavailable as away:
                log.warning("%s: the database is away: %s", self.claim.job_id, away)
                time.sleep(AGAIN_SECONDS)

    def try_to_write(self, change: Callable[[Session], Result]) -> Result:
        """Make a change that is fenced by the claim's token. Raises `errors.Unavailable`, `errors.LeaseLost`."""
        with self._fence(), self.database.write() as session:
            done = change(session)
        self.board.beat()
        return done

    @contextmanager
    def _fence(self) -> Iterator[None]:
        """Around a write that renews the lease: not begun after the worker's own deadline, noted when done."""
        self.check()
        began = time.monotonic()
        yield
        self._renewed_at = max(self._renewed_at, began)

    def _look(self) -> None:
        try:
            self._beat()
        except errors.LeaseLost:
            self.hear("lost")
        except errors.Unavailable as away:
            log.warning("%s: no heartbeat: %s", self.claim.job_id, away)
        if self.request is not None:
            self._insist()

    def _beat(self) -> None:
        self.check()
        self.board.beat()
        if time.monotonic() - self._renewed_at >= self.settings.heartbeat_seconds:
            self.hear(self.try_to_write(self._renew))
        else:
            with self.database.read() as session:
                self.hear(leases.stop_request(session, self.claim))
                waiting = self._turn_is_over() and fair_queue.has_queued_job(session, self.claim.priority)
            self.hear("turn_over" if waiting else None)
        if self.board.stopping():
            self.hear("hand_back")
        if time.monotonic() > self._deadline:
            self.hear("deadline")

    def _renew(self, session: Session) -> str | None:
        return leases.renew(session, self.claim, self.settings.lease_seconds, self.seconds)

    def _turn_is_over(self) -> bool:
        return time.monotonic() - self._began > self.settings.turn_seconds

    def hear(self, request: str | None) -> None:
        """Note what is asked of the job, the first of all; but a cancel goes before it, and what is lost stays lost."""
        if request is None or self.request == "lost":
            return
        if self.request is None or request in ("lost", "cancel"):
            self._heard_at = self._heard_at or time.monotonic()
            self.request = request
            self.interrupt[0] = 1

    def _insist(self) -> None:
        """Carry out what training should have, and end the process if that goes on all the same."""
        since = time.monotonic() - self._heard_at
        patience = PATIENCE.get(self.request or "", 0.0)
        if self.request != "lost" and since > patience:
            try:
                self.try_to_write(self.carry_out)
            except (errors.LeaseLost, errors.Unavailable) as error:
                log.warning("%s: %s", self.claim.job_id, error)
            else:
                self.hear("lost")
        if since > patience + STUCK_SECONDS:
            log.error("%s does not stop: this process ends, and another takes its place", self.claim.job_id)
            os.kill(os.getpid(), signal.SIGKILL)

    def carry_out(self, session: Session) -> str:
        """Do to the job what was asked, from its last checkpoint."""
        if self.request == "hand_back":
            return job_endings.hand_back(session, self.claim, "handed back: its worker is shutting down")
        if self.request == "turn_over":
            return job_endings.hand_back(session, self.claim, "its turn is over, and others wait", behind=True)
        if self.request == "deadline":
            return job_endings.fail(session, self.claim, "deadline_exceeded", self._late())
        return job_endings.apply_request(session, self.claim)

    def _late(self) -> str:
        return (
            f"the job was not over after {self.seconds:.0f} s of a worker's time: it may have training.max_seconds and "
            f"{OVERTIME_SECONDS:.0f} s to end its epoch, and {self.settings.max_job_seconds:.0f} s in all; "
            "try fewer epochs, fewer rows or a smaller network"
        )
