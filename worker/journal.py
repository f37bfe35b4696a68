"""The epochs of a job on their way to SQL: in batches, with a checkpoint now and then."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.config import Settings
from backpropd.nn import Epoch
from backpropd.store import claims
from worker.lease import Lease

log = logging.getLogger(__name__)

FIELDS = Epoch._fields[: Epoch._fields.index("stop_reason")]
CHECKPOINT_SHARE = 0.02  # of a job's time, at most
MOST_PENDING = 200_000  # epochs in memory while the database is away; then training waits


class Journal:
    """What a run has come to, kept here until it is written."""

    def __init__(self, lease: Lease, run: learn.AnyRun, settings: Settings) -> None:
        self.lease, self.run, self.settings = lease, run, settings
        self.pending: list[dict[str, Any]] = []
        self.epoch_began = self.flushed_at = self.checkpointed_at = time.monotonic()
        self.checkpointed_epoch = run.epoch
        self.checkpoint_every = settings.checkpoint_seconds

    def add(self, burst: list[Epoch]) -> None:
        """Note epochs that have just ended, which share their time evenly, and write to SQL when it is time.

        While the database is away they are kept, as long as the lease allows: then `errors.LeaseLost` is raised.
        """
        moment = time.monotonic()
        seconds = (moment - self.epoch_began) / len(burst)
        self.pending += [dict(zip(FIELDS, epoch, strict=False), seconds=seconds) for epoch in burst]
        self.epoch_began = moment
        patient = len(self.pending) >= MOST_PENDING
        if moment - self.checkpointed_at >= self.checkpoint_every:
            self._checkpoint(patient)
        elif moment - self.flushed_at >= self.settings.flush_seconds:
            self._write(None, patient)

    def flush(self) -> None:
        """Write the epochs that wait, in one transaction under the fence."""
        self._write(None, patient=True)

    def checkpoint(self) -> None:
        """Write the epochs that wait and a checkpoint of the last of them, together."""
        self._checkpoint(patient=True)

    def _checkpoint(self, patient: bool) -> None:
        began = time.monotonic()
        if self.run.epoch > self.checkpointed_epoch and self._write(self.run.checkpoint(), patient):
            cost = time.monotonic() - began
            self.checkpoint_every = max(self.settings.checkpoint_seconds, cost / CHECKPOINT_SHARE)
        self.checkpointed_at = time.monotonic()

    def _write(self, checkpoint: bytes | None, patient: bool) -> bool:
        """Write what waits, however often it takes if `patient`; False if it could not be written now."""
        self.flushed_at = time.monotonic()
        if not self.pending and checkpoint is None:
            return True
        epoch = self.run.epoch
        kept = None if checkpoint is None else (epoch, checkpoint)

        def change(session: Session) -> str | None:
            held = self.lease.claim, self.pending, self.settings.lease_seconds, self.lease.seconds
            return claims.write_epochs(session, *held, kept)

        try:
            asked = self.lease.write(change) if patient else self.lease.try_to_write(change)
        except errors.Unavailable as away:
            log.warning(
                "%s: the database is away, %d epochs wait: %s", self.lease.claim.job_id, len(self.pending), away
            )
            return False
        self.lease.hear(asked)
        self.pending.clear()
        if checkpoint is not None:
            self.checkpointed_epoch = epoch
        return True
