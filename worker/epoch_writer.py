"""The epochs of a job on their way to SQL: in batches, with a checkpoint now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.config import Settings
from backpropd.nn import Epoch
from backpropd.store.scheduling import claims, job_endings, leases
from worker.lease import Lease

log = logging.getLogger(__name__)

FIELDS = Epoch._fields[: Epoch._fields.index("stop_reason")]
CHECKPOINT_SHARE = 0.02  # of a job's time, at most
MOST_PENDING = 200_000  # epochs in memory while the database is away; then training waits


class EpochWriter:
    """What a run has come to, kept here until it is written."""

    def __init__(self, lease: Lease, run: learn.Run, settings: Settings) -> None:
        self.lease, self.run, self.settings = lease, run, settings
        self.pending: list[dict[str, Any]] = []
        self.epoch_began = self.flushed_at = self.checkpointed_at = time.monotonic()
        self.checkpointed_epoch = run.epoch
        self.checkpoint_every = settings.checkpoint_seconds
        self.checkpointed = lease.claim.checkpointed  # or may be: a write may have succeeded unheard

    def add(self, chunk: list[Epoch]) -> None:
        """Take epochs that have just ended, which share their time evenly, and write to SQL when it is time.

        While the database is away they are kept, as long as the lease allows: then `errors.LeaseLost` is raised.
        """
        moment = time.monotonic()
        seconds = (moment - self.epoch_began) / len(chunk)
        self.pending += [dict(zip(FIELDS, epoch, strict=False), seconds=seconds) for epoch in chunk]
        self.epoch_began = moment
        patient = len(self.pending) >= MOST_PENDING
        if moment - self.checkpointed_at >= self.checkpoint_every:
            self._checkpoint(patient)
        elif moment - self.flushed_at >= self.settings.flush_seconds:
            self._write(None, patient)

    def flush(self) -> None:
        """Write the epochs that wait, in one transaction under the fence."""
        self._write(None, patient=True)

    def succeed(
        self, reason: str, model: dict[str, Any], claimant: claims.ClaimOptions | None
    ) -> tuple[str, claims.Claim | None]:
        """Write the epochs that wait, the model and the job's end, and claim the next job, all in one transaction.

        Gives what the job ended as, and the claim if there was one to make and a `claimant`. Where that transaction
        fails, whatever it was, the job ends without another. Raises `job_endings.StopRequested`.
        """
        held, kept = self.lease.claim, self.checkpointed

        def end(session: Session, then_for: claims.ClaimOptions | None = None) -> tuple[str, claims.Claim | None]:
            about = held, reason, model, self.pending, self.lease.seconds
            return job_endings.succeed(session, *about, checkpointed=kept, claim_next=then_for)

        try:
            return self.lease.try_to_write(lambda session: end(session, claimant))
        except (job_endings.StopRequested, errors.LeaseLost):
            raise
        except Exception as error:
            log.warning("%s does not take the next job along: %r", held.job_id, error)
        return self.lease.write(end)

    def close(self, end: Callable[[Session], str], *, checkpoint: bool) -> str:
        """Write the epochs that wait, a checkpoint if one is wanted, and the job's end, all in one transaction."""
        kept = (self.run.epoch, self.run.checkpoint()) if checkpoint and self._moved() else None

        def change(session: Session) -> str:
            self._put(session, kept)
            return end(session)

        return self.lease.write(change)

    def _moved(self) -> bool:
        """Whether there is anything that the last checkpoint does not hold."""
        return self.run.epoch > self.checkpointed_epoch

    def _checkpoint(self, patient: bool) -> None:
        began = time.monotonic()
        if self._moved() and self._write((self.run.epoch, self.run.checkpoint()), patient):
            self.checkpointed_epoch = self.run.epoch
            cost = time.monotonic() - began
            self.checkpoint_every = max(self.settings.checkpoint_seconds, cost / CHECKPOINT_SHARE)
        self.checkpointed_at = time.monotonic()

    def _write(self, kept: tuple[int, bytes] | None, patient: bool) -> bool:
        """Write what waits, however often it takes if `patient`; False if it could not be written now."""
        write = self.lease.write if patient else self.lease.try_to_write
        self.checkpointed = self.checkpointed or kept is not None
        self.flushed_at = time.monotonic()
        try:
            self.lease.hear(write(lambda session: self._put(session, kept)))
        except errors.Unavailable as away:
            log.warning(
                "%s: the database is away, %d epochs wait: %s", self.lease.claim.job_id, len(self.pending), away
            )
            return False
        self.pending.clear()
        return True

    def _put(self, session: Session, kept: tuple[int, bytes] | None) -> str | None:
        if not self.pending and kept is None:
            return None
        held = self.lease.claim, self.pending, self.settings.lease_seconds, self.lease.seconds
        return leases.write_epochs(session, *held, kept)
