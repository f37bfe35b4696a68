"""The protocol of claims, leases, fencing and rescue, as a state machine: any order of events, on a fake clock."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import jobs
from backpropd.store.scheduling import claims, job_endings, leases, rescue
from backpropd.store.scheduling.claims import Claim, ClaimOptions
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Checkpoint, Epoch, Job, Model
from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status
from tests.migrated import sqlite
from tests.store.conftest import MODEL, TENANT, a_dataset, a_job, an_epoch, write

LEASE_SECONDS, MAX_CRASHES, MAX_JOBS = 30.0, 3, 4


class Protocol(RuleBasedStateMachine):
    """Workers that claim, write, stall, return and die; clients with requests; reapers; a clock that jumps.

    The workers have no clock, so only the fencing token separates a stale worker from the job.
    """

    claimed = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 10**12
        self.database = Database(sqlite(Path(self.folder.name) / "protocol.db"), lambda: self.now)
        self.dataset_id = a_dataset(self.database)
        self.jobs: list[str] = []
        self.tokens: dict[str, int] = {}
        self.final_statuses: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.dead: set[str] = set()

    def teardown(self) -> None:
        self.database.dispose()
        self.folder.cleanup()

    @rule(priority=st.integers(-1, 1))
    def submit(self, priority: int) -> None:
        if len(self.jobs) < MAX_JOBS:
            self.jobs.append(a_job(self.database, priority=priority, dataset_id=self.dataset_id).id)

    @rule(target=claimed)
    def claim(self) -> Any:
        return self._newer(write(self.database, claims.claim_next, self._options()))

    @rule(claim=claimed, count=st.integers(0, 3), checkpoint=st.booleans())
    def train(self, claim: Claim | None, count: int, checkpoint: bool) -> None:
        def write(session: Session, claim: Claim) -> None:
            done = self._job(session, claim.job_id).epoch
            rows = [an_epoch(done + number, loss=float(claim.fencing_token)) for number in range(1, count + 1)]
            saved = (done + count, str(done + count).encode()) if checkpoint and done + count else None
            leases.write_epochs(session, claim, rows, LEASE_SECONDS, 1.0, saved)

        self._fenced(claim, write)

    @rule(claim=claimed)
    def renew(self, claim: Claim | None) -> None:
        self._fenced(claim, lambda session, claim: leases.renew(session, claim, LEASE_SECONDS, 1.0))

    @rule(target=claimed, claim=consumes(claimed), claims_next=st.booleans())
    def succeed(self, claim: Claim | None, claims_next: bool) -> Any:
        following = self._options() if claims_next else None
        ended = self._fenced(
            claim, lambda session, claim: job_endings.succeed(session, claim, "epochs", MODEL, claim_next=following)
        )
        return self._newer(ended[1]) if ended else None

    @rule(claim=consumes(claimed))
    def fail(self, claim: Claim | None) -> None:
        self._fenced(claim, lambda session, claim: job_endings.fail(session, claim, "diverged", "…"))

    @rule(claim=consumes(claimed))
    def apply_request(self, claim: Claim | None) -> None:
        self._fenced(claim, job_endings.apply_request)

    @rule(claim=consumes(claimed), behind=st.booleans())
    def hand_back(self, claim: Claim | None, behind: bool) -> None:
        self._fenced(claim, lambda session, claim: job_endings.hand_back(session, claim, "…", behind=behind))

    @rule(claim=claimed)
    def die(self, claim: Claim | None) -> None:
        """The worker's process is known to be dead; a write that it sent before may still arrive."""
        if claim is not None:
            with self.database.read() as session:
                self.dead.add(self._job(session, claim.job_id).worker or "")

    @rule(choice=st.integers(0, MAX_JOBS - 1), verb=st.sampled_from([jobs.cancel, jobs.pause, jobs.resume]))
    def request(self, choice: int, verb: Callable[[Session, str, str], Job]) -> None:
        for job_id in self.jobs[choice : choice + 1]:  # no job while there are fewer
            with suppress(errors.Conflict):
                write(self.database, verb, TENANT, job_id)
                if verb is jobs.cancel:
                    self.cancelled.add(job_id)

    @rule(seconds=st.sampled_from([1, 20, 31, 3600, -3600]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds * 1_000_000

    @rule(twice=st.booleans())
    def reap(self, twice: bool) -> None:
        for _ in range(1 + twice):
            with self.database.write() as session:
                rescue.rescue_dead(session, lambda name: name not in self.dead, MAX_CRASHES)
                rescue.rescue_expired(session, LEASE_SECONDS, MAX_CRASHES)

    @invariant()
    def every_job_is_consistent(self) -> None:
        with self.database.read() as session:
            for job_id in self.jobs:
                self._check(session, self._job(session, job_id))

    def _check(self, session: Session, job: Job) -> None:
        assert job.fencing_token >= self.tokens.get(job.id, 0)
        self.tokens[job.id] = job.fencing_token
        assert (
            self.final_statuses.setdefault(job.id, job.status) == job.status
            if job.status in TERMINAL
            else job.id not in self.final_statuses
        )
        steps = [each.status for each in jobs.transitions(session, [job])[job.number]]
        assert steps[0] == Status.QUEUED
        assert steps[-1] == job.status
        assert all(Status(after) in ALLOWED_TRANSITIONS[Status(before)] for before, after in pairwise(steps))
        models = session.scalar(select(func.count()).where(Model.job_id == job.id))
        assert models == (job.status == Status.SUCCEEDED)
        assert not (job.id in self.cancelled and job.status in (Status.SUCCEEDED, Status.FAILED))
        rows = session.scalars(select(Epoch.epoch).where(Epoch.job_number == job.number).order_by(Epoch.epoch)).all()
        assert rows == list(range(1, job.epoch + 1))
        checkpoint = session.get(Checkpoint, job.number)
        assert checkpoint is None or (job.status not in TERMINAL and checkpoint.epoch <= job.epoch)
        assert (job.lease_expires_at is not None) == (job.status == Status.RUNNING)
        assert job.crashes < MAX_CRASHES or job.status == Status.FAILED

    def _options(self) -> ClaimOptions:
        return ClaimOptions(f"worker {self.now}", LEASE_SECONDS)

    def _newer(self, claim: Claim | None) -> Claim | None:
        assert claim is None or claim.fencing_token > self.tokens.get(claim.job_id, 0)
        return claim

    def _fenced(self, claim: Claim | None, change: Callable[[Session, Claim], Any]) -> Any:
        """Make a change, which must succeed exactly if the job is leased with the claim's token. Returns its result."""
        if claim is None:
            return None
        with self.database.read() as session:
            job = self._job(session, claim.job_id)
            leased = job.status == Status.RUNNING and job.fencing_token == claim.fencing_token
        try:
            result = write(self.database, change, claim)
        except errors.LeaseLost:
            assert not leased
        except job_endings.StopRequested:
            assert leased
        else:
            assert leased
            return result
        return None

    def _job(self, session: Session, job_id: str) -> Job:
        return session.scalars(select(Job).where(Job.id == job_id)).one()


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
