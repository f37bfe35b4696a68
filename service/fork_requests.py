"""From a snapshot of a job to a queued job that continues from it."""

from typing import Any

from sqlalchemy.orm import Session

from backpropd import errors, learn
from backpropd.store import jobs, snapshots
from backpropd.store.scheduling.submission import Fork
from backpropd.store.snapshots import StoredSnapshot
from backpropd.store.sql.schema import Job
from service import job_requests
from service.auth.principal import tenant
from service.http.sending import hold_memory_of
from service.schemas.snapshots import ForkRequest
from service.services import services

COPIES = 5  # of a snapshot in memory: as it was read, its arrays, the checkpoint, the fork's own snapshot, a buffer
OWN_END = ("early_stopping", "converged", "target_loss")  # reasons that a fork without changes would stop for at once
# Codes of warnings that a run adds about itself.
OF_RUNS = {"no_epoch_finished", "refit_skipped", "ensemble_reduced", "measured_on_a_sample", "job_seconds_limit"}


def fork(job_id: str, request: ForkRequest) -> dict[str, Any]:
    """Queue the fork, or find the one that an earlier request with this Idempotency-Key queued; gives it rendered.

    Raises `errors.NotFound`, `errors.Invalid` with pointers, and as `job_requests.queue` does.
    """
    with services().database.read() as session:
        parent = jobs.get(session, tenant(), job_id)
        hold_memory_of("to copy this snapshot", COPIES * _checked_size(session, parent, request.epoch))
        stored = snapshots.get(session, parent.number, request.epoch) or _missing(session, parent, request.epoch)
    spec = learn.spec_from_json(parent.spec)
    changes = request.training.model_dump(exclude_unset=True)
    context = job_requests.context_of(parent.dataset_id, spec.training)
    plan = learn.resolve_fork(spec, changes, request.epoch, context)
    if plan.spec == spec and parent.stop_reason in OWN_END and parent.epoch == request.epoch:
        detail = f"training ended after this epoch ({parent.stop_reason}), and would do so again: change its settings"
        raise errors.Invalid(detail, pointer="/training")
    start = learn.start_of_fork(stored.weights, stored.state, spec, plan.spec)
    own = StoredSnapshot(*start.snapshot) if plan.spec.training.snapshot_every else None
    content = f"{job_id} {request.model_dump_json(exclude_unset=True)}"
    return job_requests.queue(
        content, plan, _row(parent, request), Fork(parent.id, request.epoch, start.checkpoint, own)
    )


def _checked_size(session: Session, parent: Job, epoch: int) -> int:
    return snapshots.bytes_of(session, parent.number, epoch) or _missing(session, parent, epoch)


def _missing(session: Session, parent: Job, epoch: int) -> Any:
    """Raises `errors.Invalid` that names the nearest snapshots."""
    if found := snapshots.nearest(session, parent.number, epoch):
        nearest = f"the nearest {'is that' if len(found) == 1 else 'are those'} of {' and '.join(map(str, found))}"
        raise errors.Invalid(f"there is no snapshot of epoch {epoch}: {nearest}", pointer="/epoch")
    detail = "the job has no snapshots yet" if parent.spec["training"].get("snapshots") else "the job has no snapshots"
    raise errors.Invalid(f'{detail}: they are stored with "snapshots": {{"every": 10}} in training', pointer="/epoch")


def _row(parent: Job, request: ForkRequest) -> dict[str, Any]:
    """What the fork's row has from its parent, and what the request states."""
    return {
        "dataset_id": parent.dataset_id,
        "validation_dataset_id": parent.validation_dataset_id,
        "warm_start_model_id": parent.warm_start_model_id,
        "name": parent.name if request.name is None else request.name,
        "meta": parent.meta if request.metadata is None else request.metadata,
        "priority": parent.priority,
        "left_out": parent.left_out or [],
        "warnings": [each for each in parent.warnings or [] if each["code"] not in OF_RUNS],
    }
