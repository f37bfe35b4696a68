"""Writes the epochs of a job to SQL in batches, with its snapshots, and with a checkpoint from time to time."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.config import Settings
from backpropd.nn import Epoch
from backpropd.store import epochs, sizes
from backpropd.store.curve_buckets import MAX_EPOCHS
from backpropd.store.curve_thinning import Points
from backpropd.store.quota import StorageQuota
from backpropd.store.scheduling import claims, job_endings, leases
from backpropd.store.snapshots import StoredSnapshot
from worker.learning_curve import CurveChange, plan_change, points_of
from worker.lease import Lease

log = logging.getLogger(__name__)

Write = Callable[[Callable[[Session], str | None]], str | None]

FIELDS = Epoch._fields[: Epoch._fields.index("stop_reason")]
MAX_CHECKPOINT_SHARE = 0.02  # of a job's time
MAX_PENDING = 200_000  # epochs in memory while the database is unavailable; then training waits
MAX_SNAPSHOT_BYTES = 4 * 1024**2  # that wait to be written
MAX_ROWS = 1_000  # of the curve in one transaction: SQLite has one at a time, and all other programs wait for its end
PAUSE_SECONDS = 0.003  # between two of them, in which another program begins its own


class EpochWriter:
    """The epochs of a run that are not yet written."""

    def __init__(self, lease: Lease, run: learn.Run, settings: Settings, quota: StorageQuota) -> None:
        self.lease, self.run, self.settings, self.quota = lease, run, settings, quota
        self.curve = self._stored_curve()
        self.pending: list[dict[str, Any]] = []
        self.chunk_began = self.flushed_at = self.checkpointed_at = time.monotonic()
        self.checkpointed = run.progress
        self.checkpoint_every = settings.checkpoint_seconds
        self.may_have_checkpoint = lease.claim.checkpointed  # a write may succeed although its answer is lost

    def add(self, chunk: list[Epoch]) -> None:
        """Add epochs that have just ended, which share their time equally, and write if it is time.

        An empty chunk is progress of the refit, whose epochs are not the job's, and may be due for a checkpoint.
        While the database is unavailable they are collected; raises `errors.LeaseLost` when the lease ends, and
        `errors.StorageFull` when the tenant's storage is full.
        """
        now = time.monotonic()
        seconds = (now - self.chunk_began) / max(len(chunk), 1)
        self.pending += [dict(zip(FIELDS, epoch, strict=False), seconds=seconds) for epoch in chunk]
        self.chunk_began = now
        many_snapshots = self._snapshot_bytes() >= MAX_SNAPSHOT_BYTES
        repeat = len(self.pending) >= MAX_PENDING or many_snapshots
        if now - self.checkpointed_at >= self.checkpoint_every:
            self._checkpoint(repeat)
        elif self.pending and (many_snapshots or now - self.flushed_at >= self.settings.flush_seconds):
            self._write(None, repeat)

    def flush(self) -> None:
        """Write the pending epochs under the fencing token."""
        self._write(None, repeat=True)

    def succeed(
        self, stop_reason: str, model: dict[str, Any], options: claims.ClaimOptions | None
    ) -> tuple[str, claims.Claim | None]:
        """Write the pending epochs, the model and the job's end, and claim the next job, in one transaction.

        Returns the job's status and the claim, if there are `options` and a queued job. If that transaction fails, the
        job ends in another one without a claim. Raises `job_endings.StopRequested`.
        """
        claim, checkpointed = self.lease.claim, self.may_have_checkpoint
        self._check_quota(sizes.of_model(model))
        if self.run.epoch > MAX_EPOCHS or len(self.pending) > MAX_ROWS or self.run.snapshots:
            self.flush()  # thinned, in parts and with snapshots, which the last transaction does not do
        warnings = [note._asdict() for note in self.run.notes]

        def end(session: Session, claim_next: claims.ClaimOptions | None = None) -> tuple[str, claims.Claim | None]:
            result = claim, stop_reason, model, self.pending, self.lease.seconds
            return job_endings.succeed(
                session, *result, warnings=warnings, checkpointed=checkpointed, claim_next=claim_next
            )

        try:
            return self.lease.try_to_write(lambda session: end(session, options))
        except (job_endings.StopRequested, errors.LeaseLost):
            raise
        except Exception as error:
            log.warning("%s ends without a claim of the next job: %r", claim.job_id, error)
        return self.lease.write(end)

    def close(self, end: Callable[[Session], str], *, checkpoint: bool) -> str:
        """Write the pending epochs, a checkpoint if requested, and the job's end; the last two in one transaction."""
        new = (self.run.epoch, self.run.checkpoint()) if checkpoint and self._has_progress() else None
        *parts, last = plan_change(self.curve, self.pending).parts(MAX_ROWS)
        snapshots = self._snapshots(self._write_parts(self.lease.write, parts))

        def change(session: Session) -> str:
            self._put(session, last, new, snapshots)
            return end(session)

        return self.lease.write(change)

    def _has_progress(self) -> bool:
        return self.run.progress > self.checkpointed

    def _checkpoint(self, repeat: bool) -> None:
        began = time.monotonic()
        if self._has_progress() and self._write((self.run.epoch, self.run.checkpoint()), repeat):
            self.checkpointed = self.run.progress
            cost = time.monotonic() - began
            self.checkpoint_every = max(self.settings.checkpoint_seconds, cost / MAX_CHECKPOINT_SHARE)
            self._check_quota(0)
        self.checkpointed_at = time.monotonic()

    def _write(self, checkpoint: tuple[int, bytes] | None, repeat: bool) -> bool:
        """Write the pending epochs, repeatedly if `repeat`; False if the database is unavailable."""
        write = self.lease.write if repeat else self.lease.try_to_write
        self.may_have_checkpoint = self.may_have_checkpoint or checkpoint is not None
        self.flushed_at = time.monotonic()
        change = plan_change(self.curve, self.pending)
        *parts, last = change.parts(MAX_ROWS)
        try:
            snapshots = self._snapshots(self._write_parts(write, parts))
            self.lease.request_stop(write(lambda session: self._put(session, last, checkpoint, snapshots)))
        except errors.DatabaseDamaged:
            raise
        except errors.Unavailable as error:
            pending, job_id = len(self.pending), self.lease.claim.job_id
            log.warning("%s: the database is unavailable, %d epochs are pending: %s", job_id, pending, error)
            return False
        self.curve = change.points
        self.pending.clear()
        self.run.snapshots.clear()
        return True

    def _write_parts(self, write: Write, parts: Sequence[CurveChange]) -> int:
        """Write parts of a change with the snapshots of their epochs; returns the last of these epochs, or -1."""
        written = -1
        for part in parts:
            last = part.added[-1]["epoch"] if part.added else written
            snapshots, written = self._snapshots(written, last), last
            self.lease.request_stop(write(partial(self._put, part=part, snapshots=snapshots)))
            self.lease.progressed()
            time.sleep(PAUSE_SECONDS)
        return written

    def _stored_curve(self) -> Points:
        """The points of the epochs that are stored, if the curve may have to be thinned."""
        if not self.run.epoch or self.run.spec.training.epochs <= MAX_EPOCHS:
            return points_of([])
        rows = self.lease.read(lambda session: epochs.points(session, self.lease.claim.number))
        return points_of([row._mapping for row in rows])

    def _check_quota(self, new_bytes: int) -> None:
        """Raise `errors.StorageFull` if this job and all else that the tenant stores exceed its quota."""
        tenant = self.lease.claim.tenant
        self.lease.read(lambda session: self.quota.check_recent(session, tenant, new_bytes))

    def _snapshot_bytes(self) -> int:
        """The bytes of those that wait to be written: each has about as many as the last one."""
        waiting = self.run.snapshots
        return len(waiting) * (len(waiting[-1].parameters) + len(waiting[-1].state)) if waiting else 0

    def _snapshots(self, after: int, last: float = math.inf) -> list[StoredSnapshot]:
        """Those that wait to be written, of the epochs after one up to another, whose transaction they are in."""
        return [StoredSnapshot(*each) for each in self.run.snapshots if after < each.epoch <= last]

    def _put(
        self,
        session: Session,
        part: CurveChange,
        checkpoint: tuple[int, bytes] | None = None,
        snapshots: Sequence[StoredSnapshot] = (),
    ) -> str | None:
        if not (part.added or part.dropped or checkpoint or snapshots):
            return None
        arguments = self.lease.claim, part.added, self.settings.lease_seconds, self.lease.seconds
        return leases.write_epochs(session, *arguments, checkpoint, part.dropped, snapshots)
