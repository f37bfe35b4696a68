"""One job on one worker: claim it, train it, write what comes, and end it."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from structlog.contextvars import bound_contextvars

from backpropd import errors, learn
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import claims, job_endings
from backpropd.store.scheduling.claims import Claim
from backpropd.store.sql.database import Database
from worker.epoch_writer import EpochWriter
from worker.heartbeat_board import HeartbeatBoard
from worker.lease import Lease
from worker.lease_thread import LeaseThread

log = logging.getLogger(__name__)


@dataclass
class Runner:
    """What a worker process needs to train jobs: where they lie, and the board on which its parent sees it."""

    name: str
    settings: Settings
    database: Database
    blobs: Blobs
    board: HeartbeatBoard = field(default_factory=lambda: HeartbeatBoard(1))
    keeper: LeaseThread = field(default_factory=LeaseThread)
    _next: Lease | None = field(default=None, init=False)

    def run_one(self) -> bool:
        """Claim the best queued job and see it to an end, or hand it back. False when there was none to claim.

        A job that succeeds takes the next one along in its last transaction: one commit for both.
        """
        lease, self._next = self._next, None
        since = time.monotonic()
        if lease is None and (claimant := self._claimant()):
            with self.database.write() as session:
                lease = self._lease(claims.claim_next(session, claimant), since)
        if lease is None:
            return False
        claim = lease.claim
        with bound_contextvars(job_id=claim.job_id, tenant=claim.tenant), lease.kept(self.keeper):
            log.info("%s claimed (attempt %d)", claim.job_id, claim.attempt)
            try:
                status = self._run(claim, lease)
            except errors.LeaseLost as lost:
                log.warning("%s dropped: %s", claim.job_id, lost)
            else:
                log.info("%s %s", claim.job_id, status)
        return True

    def _claimant(self) -> claims.ClaimOptions | None:
        if self.board.stopping():
            return None
        return claims.ClaimOptions(self.name, self.settings.lease_seconds, self.settings.max_running_jobs_per_tenant)

    def _lease(self, claim: Claim | None, since: float) -> Lease | None:
        return Lease(claim, since, self.database, self.settings, self.board) if claim else None

    def _run(self, claim: Claim, lease: Lease) -> str:
        try:
            return self._train(claim, lease)
        except (errors.LeaseLost, errors.Unavailable) as error:
            raise errors.LeaseLost(str(error)) from error
        except errors.BackpropdError as error:
            code, detail = error.code, error.detail
        except MemoryError:
            code = "out_of_memory"
            detail = "the worker ran out of memory: try a smaller network or fewer rows"
        except Exception as error:
            log.exception("%s failed in a way nobody foresaw", claim.job_id)
            code, detail = "internal_error", f"the worker met an error of its own: {error!r}"
        return lease.write(lambda session: job_endings.fail(session, claim, code, detail))

    def _train(self, claim: Claim, lease: Lease) -> str:
        if self.board.stopping():  # it was taken along just before
            lease.hear("hand_back")
            return lease.write(lease.carry_out)
        run = self._run_of(claim, lease)
        if (max_seconds := run.spec.training.max_seconds) is not None:
            lease.end_within(max_seconds)
        journal = EpochWriter(lease, run, self.settings)
        try:
            for chunk in run.epoch_chunks():
                journal.add(chunk)
                if lease.request:
                    break
            if run.stop_reason is not None and lease.request not in ("cancel", "pause", "lost"):
                model, since = run.model(), time.monotonic()
                status, then = journal.succeed(run.stop_reason, model, self._claimant())
                self._next = self._lease(then, since)
                return status
        except job_endings.StopRequested as asked:
            lease.hear(asked.request)
        except errors.BackpropdError:
            journal.flush()  # what was learned before an error is kept, too
            raise
        lease.check()
        return journal.close(lease.carry_out, checkpoint=lease.request != "cancel")

    def _run_of(self, claim: Claim, lease: Lease) -> learn.Run:
        """The run, its tables read."""
        start = claims.ResumePoint()
        if claim.checkpointed or claim.warm_start_model_id:
            start = lease.read(lambda session: claims.resume_point(session, claim))
        with ExitStack() as files:
            path = files.enter_context(self.blobs.local_path(claim.dataset_sha256))
            validation = None
            if table := claim.validation:
                other = files.enter_context(self.blobs.local_path(table.sha256))
                validation = learn.Source.from_json(table.columns, other)
            return learn.Run(
                learn.spec_from_json(claim.spec),
                learn.Source.from_json(claim.columns, path),
                start.checkpoint,
                lease.interrupt,
                validation=validation,
                warm_start=learn.WarmStart(**asdict(start.warm_start)) if start.warm_start else None,
            )
