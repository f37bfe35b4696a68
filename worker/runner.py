"""One job on one worker: claim it, train it, write what comes, and end it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from backpropd import errors, learn
from backpropd.config import Settings
from backpropd.nn import Epoch
from backpropd.store import claims
from backpropd.store.blobs import Blobs
from backpropd.store.claims import Claim
from backpropd.store.database import Database
from backpropd.store.status import Status
from worker.lease import Lease

log = logging.getLogger(__name__)

FIELDS = Epoch._fields[: Epoch._fields.index("stop_reason")]


@dataclass
class Runner:
    """What a worker process needs to train jobs. `stopping` tells that the process was asked to end."""

    name: str
    settings: Settings
    database: Database
    blobs: Blobs
    stopping: Callable[[], bool] = field(default=lambda: False)

    def run_one(self) -> bool:
        """Claim the best queued job and see it to an end, or hand it back. False when there was none to claim."""
        if self.stopping():
            return False
        with self.database.write() as session:
            claim = claims.claim_best(session, self.name, self.settings.lease_seconds)
        if claim is None:
            return False
        log.info("%s claimed (attempt %d)", claim.job_id, claim.attempt)
        with Lease(claim, self.database, self.settings, self.stopping) as lease:
            try:
                status = self._run(claim, lease)
            except errors.LeaseLost as lost:
                log.warning("%s dropped: %s", claim.job_id, lost)
            else:
                log.info("%s %s", claim.job_id, status)
        return True

    def _run(self, claim: Claim, lease: Lease) -> Status:
        try:
            return self._train(claim, lease)
        except (errors.LeaseLost, errors.Unavailable) as error:
            raise errors.LeaseLost(str(error)) from error
        except errors.BackpropdError as error:
            return self._fail(claim, error.code, error.detail)
        except MemoryError:
            return self._fail(
                claim, "out_of_memory", "the worker ran out of memory: try a smaller network or fewer rows"
            )
        except Exception as error:
            log.exception("%s failed in a way nobody foresaw", claim.job_id)
            return self._fail(claim, "internal_error", f"the worker met an error of its own: {error!r}")

    def _train(self, claim: Claim, lease: Lease) -> Status:
        run = self._run_of(claim, lease)
        journal = Journal(self.database, claim, lease, run, self.settings)
        try:
            for burst in run.bursts():
                journal.add(burst)
                if lease.request:
                    break
        finally:
            journal.flush()  # what was learned before an error is kept, too
        if run.stop_reason is not None and lease.request in (None, "hand_back"):
            return self._succeed(claim, run)
        return self._stop_early(claim, lease, journal)

    def _run_of(self, claim: Claim, lease: Lease) -> learn.AnyRun:
        """The run, its tables read."""
        with ExitStack() as files:
            path = files.enter_context(self.blobs.local_path(claim.dataset_sha256))
            validation = None
            if table := claim.validation:
                other = files.enter_context(self.blobs.local_path(table.sha256))
                validation = learn.Source(table.columns, other)
            return learn.start_run(
                claim.spec,
                claim.columns,
                path,
                claim.checkpoint,
                lease.interrupt,
                validation=validation,
                warm_start=asdict(claim.warm_start) if claim.warm_start else None,
            )

    def _succeed(self, claim: Claim, run: learn.AnyRun) -> Status:
        model = run.model()
        with self.database.write() as session:
            return claims.succeed(session, claim, run.stop_reason or "epochs", model)

    def _stop_early(self, claim: Claim, lease: Lease, journal: Journal) -> Status:
        """The lease was lost, or somebody asked: cancel, pause, or the process is shutting down."""
        lease.check()
        if lease.request != "cancel":
            journal.checkpoint()
        with self.database.write() as session:
            if lease.request == "hand_back":
                return claims.hand_back(session, claim, "handed back: its worker is shutting down")
            return claims.obey(session, claim)

    def _fail(self, claim: Claim, code: str, detail: str) -> Status:
        with self.database.write() as session:
            return claims.fail(session, claim, code, detail)


class Journal:
    """The epochs of a job on their way to SQL: in batches, with a checkpoint now and then."""

    def __init__(self, database: Database, claim: Claim, lease: Lease, run: learn.AnyRun, settings: Settings) -> None:
        self.database, self.claim, self.lease, self.run, self.settings = database, claim, lease, run, settings
        self.pending: list[dict[str, Any]] = []
        self.epoch_began = self.flushed_at = self.checkpointed_at = time.monotonic()
        self.checkpointed_epoch = run.epoch

    def add(self, burst: list[Epoch]) -> None:
        """Note epochs that have just ended, which share their time evenly, and write to SQL when it is time."""
        moment = time.monotonic()
        seconds = (moment - self.epoch_began) / len(burst)
        self.pending += [dict(zip(FIELDS, epoch, strict=False), seconds=seconds) for epoch in burst]
        self.epoch_began = moment
        if moment - self.checkpointed_at >= self.settings.checkpoint_seconds:
            self.checkpoint()
        elif moment - self.flushed_at >= self.settings.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Write the epochs that wait, in one transaction under the fence."""
        self._write(None)

    def checkpoint(self) -> None:
        """Write the epochs that wait and a checkpoint of the last of them, together."""
        if self.run.epoch > self.checkpointed_epoch:
            self._write(self.run.checkpoint())
            self.checkpointed_epoch = self.run.epoch
        self.checkpointed_at = time.monotonic()

    def _write(self, checkpoint: bytes | None) -> None:
        if self.pending or checkpoint:
            with self.lease.fence(), self.database.write() as session:
                asked = claims.write_epochs(session, self.claim, self.pending, self.settings.lease_seconds)
                if checkpoint is not None:
                    claims.save_checkpoint(session, self.claim, self.run.epoch, checkpoint)
            self.lease.hear(asked)
            self.pending.clear()
        self.flushed_at = time.monotonic()
