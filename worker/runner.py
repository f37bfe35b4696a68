"""Trains one job in one process: claims it, trains it, writes its epochs, and ends it."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from structlog.contextvars import bound_contextvars

from backpropd import errors, learn, nn, tracing
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.quota import StorageQuota
from backpropd.store.scheduling import claims, job_endings, unreadable
from backpropd.store.scheduling.claims import Claim
from backpropd.store.sql.database import Database
from worker.epoch_writer import EpochWriter
from worker.heartbeat_board import HeartbeatBoard
from worker.lease import Lease
from worker.lease_thread import LeaseThread

log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 60.0  # after tables that could not be read, until the next claim
UNREADABLE = "handed back: its table cannot be read now, since the blob store does not answer"


@dataclass
class Runner:
    """What a process needs to train jobs: its name, the stores, and the board on which its parent supervises it."""

    name: str
    settings: Settings
    database: Database
    blobs: Blobs
    board: HeartbeatBoard = field(default_factory=lambda: HeartbeatBoard(1))
    use_kernels: Callable[[], None] = lambda: None  # called before each training
    thread: LeaseThread = field(default_factory=LeaseThread)
    _next: Lease | None = field(default=None, init=False)
    _unread_tables: int = field(default=0, init=False)  # in a row
    _claims_again_at: float = field(default=0.0, init=False)  # after one of these
    quota: StorageQuota = field(init=False)

    def __post_init__(self) -> None:
        self.quota = StorageQuota(self.settings.max_tenant_bytes)

    def run_one(self) -> bool:
        """Claim the next queued job and train it to its end, or hand it back. False if there was none.

        The last transaction of a job that succeeds also claims the next one: one commit for both.
        """
        lease, self._next = self._next, None
        since = time.monotonic()
        if lease is None and (options := self._claim_options()):
            with self.database.write() as session:
                lease = self._lease(claims.claim_next(session, options), since)
        if lease is None:
            return False
        claim = lease.claim
        about: tracing.Attributes = {"backpropd.job_id": claim.job_id, "backpropd.attempt": claim.attempt}
        with (
            bound_contextvars(job_id=claim.job_id, tenant=claim.tenant),
            lease.renewed_by(self.thread),
            tracing.span("job", claim.traceparent, about) as describe,
        ):
            log.info("%s claimed (attempt %d)", claim.job_id, claim.attempt)
            try:
                status = self._run(claim, lease)
            except errors.LeaseLost as error:
                log.warning("%s dropped: %s", claim.job_id, error)
            else:
                log.info("%s %s", claim.job_id, status)
                describe({"backpropd.status": status})
        return True

    def skip_unreadable(self) -> None:
        """End the next job if its row cannot be read, so that the others can be claimed."""
        if options := self._claim_options():
            with self.database.write() as session:
                if job_id := unreadable.fail_unreadable(session, options):
                    log.error("%s failed: its row cannot be read", job_id)

    def _claim_options(self) -> claims.ClaimOptions | None:
        if self.board.is_stopping() or not self._can_read_tables():
            return None
        return claims.ClaimOptions(self.name, self.settings.lease_seconds, self.settings.max_running_jobs_per_tenant)

    def _can_read_tables(self) -> bool:
        """False while the blobs do not answer: this process claims nothing, and the reaper wakes it again.

        The blobs may answer and yet refuse a table, so the wait grows with each table that could not be read.
        """
        if not self._unread_tables:
            return True
        if time.monotonic() < self._claims_again_at:
            return False
        with suppress(errors.BlobsUnavailable):
            self.blobs.check()
            return True
        return False

    def _lease(self, claim: Claim | None, since: float) -> Lease | None:
        return Lease(claim, since, self.database, self.settings, self.board) if claim else None

    def _run(self, claim: Claim, lease: Lease) -> str:
        """Train, and end the job `failed` after an error. Returns its status."""
        try:
            with ExitStack() as files:
                return self._train(claim, lease, files)
        except errors.BlobsUnavailable:
            self._unread_tables += 1
            self._claims_again_at = time.monotonic() + min(2.0 ** (self._unread_tables - 1), MAX_WAIT_SECONDS)
            return lease.write(lambda session: job_endings.hand_back_untrained(session, claim, UNREADABLE))
        except errors.DatabaseDamaged as error:
            code, detail = error.code, error.detail
        except (errors.LeaseLost, errors.Unavailable) as error:
            raise errors.LeaseLost(str(error)) from error
        except errors.BackpropdError as error:
            code, detail = error.code, error.detail
        except MemoryError:
            code = "out_of_memory"
            detail = "the worker ran out of memory: try a smaller network or fewer rows"
        except Exception:
            log.exception("%s failed with an unexpected error", claim.job_id)
            code = "internal_error"
            detail = "the worker failed with an unexpected error; the service's log has the details"
        return lease.write(lambda session: job_endings.fail(session, claim, code, detail))

    def _train(self, claim: Claim, lease: Lease, files: ExitStack) -> str:
        if self.board.is_stopping():  # the job was claimed in the transaction that ended the one before
            lease.request_stop("hand_back")
            return lease.write(lease.apply_request)
        self.use_kernels()
        run = self._prepare(claim, lease, files)
        self._unread_tables = 0
        if not run.spec.training.refit:  # a refit and the further members of an ensemble read the table again
            files.close()
        lease.begin_training(run.max_seconds)
        writer = EpochWriter(lease, run, self.settings, self.quota)
        try:
            for chunk in tracing.each("epochs", run.epoch_chunks(), _describe_chunk):
                writer.add(chunk)
                if lease.request:
                    break
            if lease.request == "deadline":
                run.end()
            if run.has_ended and run.stop_reason and lease.request not in ("cancel", "pause", "lost"):
                model, since = run.model(), time.monotonic()
                status, next_claim = writer.succeed(run.stop_reason, model, self._claim_options())
                self._next = self._lease(next_claim, since)
                return status
        except job_endings.StopRequested as stop:
            lease.request_stop(stop.request)
        except errors.BackpropdError:
            writer.flush()  # the epochs before the error are stored
            raise
        lease.check()
        return writer.close(lease.apply_request, checkpoint=lease.request != "cancel")

    @contextmanager
    def _table(self, dataset_id: str, sha256: str | None) -> Iterator[Path]:
        """The verified file of a dataset. Raises `errors.BlobMissing`, `errors.BlobDamaged`."""
        if sha256 is None:
            raise errors.BlobMissing(f"the dataset {dataset_id} is missing: upload it again, and post the job anew")
        with self.blobs.local_path(sha256, f"the dataset {dataset_id}") as path:
            yield path

    def _prepare(self, claim: Claim, lease: Lease, files: ExitStack) -> learn.Run:
        """The job's run, with its tables in memory; `files` keeps their files."""
        start = claims.ResumePoint()
        if claim.checkpointed or claim.warm_start_model_id:
            start = lease.read(lambda session: claims.resume_point(session, claim))
        path = files.enter_context(self._table(claim.dataset_id, claim.dataset_sha256))
        validation = None
        if table := claim.validation:
            validation_path = files.enter_context(self._table(table.dataset_id, table.sha256))
            validation = learn.Source(learn.columns_from_json(table.columns), validation_path)
        return learn.Run(
            learn.spec_from_json(claim.spec),
            learn.Source(learn.columns_from_json(claim.columns), path),
            start.checkpoint,
            lease.interrupt,
            validation=validation,
            warm_start=learn.WarmStart(**asdict(start.warm_start)) if start.warm_start else None,
            clock=lambda: lease.seconds,
            max_seconds=self.settings.max_job_seconds,
        )


def _describe_chunk(epochs: Sequence[nn.Epoch]) -> dict[str, int]:
    """What the span of a chunk shows; a chunk of a refit has no epochs."""
    return {"backpropd.first_epoch": epochs[0].epoch, "backpropd.last_epoch": epochs[-1].epoch} if epochs else {}
