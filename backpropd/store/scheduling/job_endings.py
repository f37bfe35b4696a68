"""The end of a lease: the job succeeded, failed, was cancelled or paused, or returns to the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backpropd.store import epochs as curves
from backpropd.store import jobs, sizes
from backpropd.store.ids import new_id
from backpropd.store.scheduling import claims, leases, queries
from backpropd.store.scheduling.claims import Claim, ClaimOptions
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import now
from backpropd.store.sql.schema import Job, Model
from backpropd.store.status import Status

_INSERT_MODEL = insert(Model).values(created_at=now())


@dataclass(eq=False)
class StopRequested(Exception):
    """A client has requested that the job stops, before the transaction that would have ended it."""

    request: str


def succeed(
    session: Session,
    claim: Claim,
    stop_reason: str,
    model: dict[str, Any],
    epochs: Sequence[dict[str, Any]] = (),
    training_seconds: float | None = None,
    *,
    warnings: Sequence[dict[str, Any]] = (),
    checkpointed: bool = True,
    claim_next: ClaimOptions | None = None,
) -> tuple[Status, Claim | None]:
    """Write the last epochs, the model and the status `succeeded` together. With `claim_next`, claim the next job too.

    `warnings` are added to those of the job. `checkpointed` says whether there may be a checkpoint to delete. A cancel
    request has precedence: the job ends `cancelled`, without a model. Raises `StopRequested` for a pause request, which
    needs a checkpoint first, and `errors.LeaseLost`.
    """
    row = {"id": new_id("model"), "tenant": claim.tenant, "job_id": claim.job_id, "name": claim.name, **model}
    row["stored_bytes"] = sizes.of_model(model)
    ending = {"model_id": row["id"], "stop_reason": stop_reason, "training_seconds": training_seconds}
    ending["epoch"] = epochs[-1]["epoch"] if epochs else None
    if statements.run(session, queries.SUCCEED, leases.key(claim) | ending).first() is None:
        return _cancel_instead(session, claim, epochs), None
    if epochs:
        curves.add(session, claim.number, claim.tenant, epochs)
    statements.run(session, _INSERT_MODEL, statements.by_column(Model, row))
    if warnings:
        jobs.add_warnings(session, claim.number, warnings)
    if checkpointed:
        jobs.delete_checkpoint(session, claim.number)
    steps, following = [jobs.Step(claim.number, claim.tenant, Status.SUCCEEDED, stop_reason)], None
    if claim_next and (following := claims.fetch_next(session, claim_next)):
        steps.append(claims.transition(following))
    jobs.record(session, *steps)
    return Status.SUCCEEDED, following


def fail(session: Session, claim: Claim, code: str, detail: str) -> Status:
    """End the job with an error. A cancel request has precedence."""
    job = leases.lock(session, claim)
    if job.stop_request == "cancel":
        return _cancel(session, job)
    return fail_job(session, job, code, detail)


def fail_job(session: Session, job: Job, code: str, detail: str) -> Status:
    """End a job, whose row is locked, with an error."""
    job.stop_reason, job.error_code, job.error_detail = "error", code, detail
    return jobs.move(session, job, Status.FAILED, code)


def apply_request(session: Session, claim: Claim) -> Status:
    """Carry out the stop request: the job ends `cancelled`, or becomes `paused`.

    A job whose request was withdrawn in the meantime returns to the queue.
    """
    job = leases.lock(session, claim)
    if job.stop_request == "cancel":
        return _cancel(session, job)
    if job.stop_request is None:
        return requeue(session, job, "resumed before it was paused")
    return jobs.move(session, job, Status.PAUSED, "paused by request")


def hand_back(session: Session, claim: Claim, reason: str, *, behind: bool = False) -> Status:
    """Return a job to the queue without counting a crash, at its old position or `behind` the tenant's other jobs.

    A stop request has precedence.
    """
    job = leases.lock(session, claim)
    if job.stop_request is not None:
        return apply_request(session, claim)
    if behind:
        job.queued_at = now()
    return requeue(session, job, reason)


def hand_back_untrained(session: Session, claim: Claim, reason: str) -> Status:
    """As `hand_back`, behind the tenant's other jobs, and what this attempt took is not counted as training time."""
    leases.lock(session, claim).training_seconds = claim.training_seconds
    return hand_back(session, claim, reason, behind=True)


def requeue(session: Session, job: Job, reason: str) -> Status:
    """Return a running job, whose row is locked, to the queue. The new token fences off the worker that leased it."""
    job.fencing_token += 1
    return jobs.move(session, job, Status.QUEUED, reason)


def _cancel_instead(session: Session, claim: Claim, epochs: Sequence[dict[str, Any]]) -> Status:
    """Write the last epochs and end the job `cancelled`. Raises `StopRequested`, `errors.LeaseLost`."""
    job = leases.lock(session, claim)
    if job.stop_request != "cancel":
        raise StopRequested(str(job.stop_request))
    if epochs:
        curves.add(session, claim.number, claim.tenant, epochs)
        job.epoch = epochs[-1]["epoch"]
    return _cancel(session, job)


def _cancel(session: Session, job: Job) -> Status:
    job.stop_reason = "cancelled"
    return jobs.move(session, job, Status.CANCELLED, "cancelled by request")
