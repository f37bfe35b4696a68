"""Leases: renewed with the job's progress, as long as the fencing token is still the claim's."""

from collections.abc import Sequence
from typing import Any, NoReturn

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import epochs as curves
from backpropd.store.scheduling import queries
from backpropd.store.scheduling.claims import Claim
from backpropd.store.snapshots import StoredSnapshot
from backpropd.store.snapshots import add as add_snapshots
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import microseconds, now
from backpropd.store.sql.schema import RUNNING, Checkpoint, Job

_LOCK = (
    select(Job)
    .where(Job.number == bindparam("number"), Job.fencing_token == bindparam("fencing_token"), RUNNING)
    .with_for_update()
)


def key(claim: Claim) -> dict[str, int]:
    """The parameters of the condition `leased`."""
    return {"number": claim.number, "fencing_token": claim.fencing_token}


def renew(
    session: Session,
    claim: Claim,
    lease_seconds: float,
    training_seconds: float,
    epoch: int | None = None,
    *,
    checkpoint_bytes: int | None = None,
) -> str | None:
    """Extend the lease, write the job's progress, and read the stop request: "cancel", "pause" or None.

    `training_seconds` is the time that workers have leased the job, over all attempts; `epoch` the last one that is
    written, None if there is no new one. A checkpoint sets the number of crashes back to 0, and counts in the quota.
    Raises `errors.LeaseLost` if the job is not leased with this claim's token any more.
    """
    progress = {"training_seconds": training_seconds, "epoch": epoch, "checkpoint_bytes": checkpoint_bytes}
    lease = {"lease_microseconds": microseconds(lease_seconds)}
    return _fenced(session, queries.RENEW, claim, lease | progress)


def stop_request(session: Session, claim: Claim) -> str | None:
    """The job's stop request, read without renewing the lease. Raises `errors.LeaseLost`."""
    return _fenced(session, queries.STOP_REQUEST, claim, {})


def write_epochs(
    session: Session,
    claim: Claim,
    epochs: Sequence[dict[str, Any]],
    lease_seconds: float,
    training_seconds: float,
    checkpoint: tuple[int, bytes] | None = None,
    dropped: Sequence[int] = (),
    snapshots: Sequence[StoredSnapshot] = (),
) -> str | None:
    """Write epochs, dicts of `store.epochs.FIELDS`, snapshots, a checkpoint with its epoch, and `renew` the lease.

    Epochs that exist already stay: a transaction whose commit was not acknowledged can be repeated. `dropped` are the
    numbers of epochs that are thinned out.
    """
    last = epochs[-1]["epoch"] if epochs else None
    size = len(checkpoint[1]) if checkpoint else None
    request = renew(session, claim, lease_seconds, training_seconds, last, checkpoint_bytes=size)
    if dropped:
        curves.drop(session, claim.number, dropped)
    if epochs:
        curves.add(session, claim.number, claim.tenant, epochs)
    if snapshots:
        add_snapshots(session, claim.number, claim.tenant, snapshots)
    if checkpoint:
        epoch, data = checkpoint
        session.merge(Checkpoint(job_number=claim.number, tenant=claim.tenant, epoch=epoch, data=data, at=now()))
        session.flush()
    return request


def lock(session: Session, claim: Claim) -> Job:
    """The job's row, locked. Raises `errors.LeaseLost`."""
    return session.scalar(_LOCK, key(claim)) or _raise_lost(claim)


def _fenced(session: Session, query: statements.Query, claim: Claim, parameters: dict[str, Any]) -> str | None:
    row = statements.run(session, query, key(claim) | parameters).one_or_none() or _raise_lost(claim)
    request: str | None = row.request
    return request


def _raise_lost(claim: Claim) -> NoReturn:
    raise errors.LeaseLost(f"job {claim.job_id} is not leased with token {claim.fencing_token} any more")
