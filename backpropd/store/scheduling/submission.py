"""Submission of a job: it is queued unless the queue is full, and its position and start are estimated."""

from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, insert, inspect, select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import sizes, snapshots
from backpropd.store.ids import new_id
from backpropd.store.scheduling import fair_queue, queries
from backpropd.store.snapshots import StoredSnapshot
from backpropd.store.sql import statements, tenant_rows
from backpropd.store.sql.column_types import microseconds, now
from backpropd.store.sql.schema import STRIDE, Checkpoint, Dataset, Job, Model, Turn
from backpropd.store.status import Status

_ENROLLED = select(Turn.tenant).where(Turn.tenant == bindparam("submitter")).exists().label("enrolled")
_INSERT = insert(Job).values(created_at=now(), queued_at=now())
_INSERT = _INSERT.returning(Job.number, Job.created_at, Job.queued_at, _ENROLLED)
# The table's defaults, for the returned object: reading the row back would take longer than inserting it.
_DEFAULTS = {each.key: each.columns[0].default.arg for each in inspect(Job).column_attrs if each.columns[0].default}

YOUNGEST = 2**62  # later than every time, and above every number of a job


class QueueLimits(NamedTuple):
    """How many jobs may be queued: by one tenant that has no limit of its own, and by all together."""

    per_tenant: int
    total: int


UNLIMITED = QueueLimits(2**31 - 1, 2**31 - 1)


class Fork(NamedTuple):
    """What a fork continues from: the parent's id, the epoch, the checkpoint, and its own snapshot of that epoch."""

    parent_job_id: str
    epoch: int
    checkpoint: bytes
    snapshot: StoredSnapshot | None

    @property
    def size(self) -> int:
        """The bytes that it counts in the quota."""
        return len(self.checkpoint) + (snapshots.size_of(self.snapshot) if self.snapshot else 0)


class SubmittedJob(NamedTuple):
    """A job that has just been queued, and the estimate of its start."""

    job: Job
    estimate: fair_queue.QueueEstimate


def submit(
    session: Session,
    tenant: str,
    *,
    dataset_id: str,
    epochs: int,
    priority: int = 0,
    limits: QueueLimits = UNLIMITED,
    worker_timeout_seconds: float = 30.0,
    fork: Fork | None = None,
    **fields: Any,
) -> SubmittedJob:
    """Queue a job: `name, spec, meta`, and optionally `id, validation_dataset_id, warm_start_model_id`.

    A `fork` begins with a checkpoint, and its parent is needed no more.
    The datasets and the model are locked, so that they are not deleted before the job's row shows that it needs them.
    The estimate counts workers that sent a heartbeat within `worker_timeout_seconds`.
    Raises `errors.NotFound` for a missing dataset or model, and `errors.QueueFull` beyond the limits.
    """
    queue = _lock_dataset(session, tenant, dataset_id, -priority, limits, worker_timeout_seconds)
    _check_limits(queue, limits)
    for kind, id in ((Dataset, fields.get("validation_dataset_id")), (Model, fields.get("warm_start_model_id"))):
        if id:
            tenant_rows.find_columns(session, kind, tenant, id, kind.id, lock_key=True)
    row: dict[str, Any] = {
        "id": new_id("job"),
        "tenant": tenant,
        "dataset_id": dataset_id,
        "epochs": epochs,
        "rank": -priority,
    }
    row |= {"status": Status.QUEUED.value, **fields}
    row |= {name: fields["spec"].get(name) for name in ("task", "target")}
    row["own_bytes"] = row["stored_bytes"] = sizes.of_job(fields)
    if fork:
        row |= {"parent_job_id": fork.parent_job_id, "parent_epoch": fork.epoch, "epoch": fork.epoch}
        row["stored_bytes"] += len(fork.checkpoint)
    inserted = statements.run(session, _INSERT, statements.by_column(Job, row) | {"submitter": tenant}).one()
    if not inserted.enrolled:
        fair_queue.enroll(session, tenant)
    if fork:
        _begin_with(session, inserted.number, tenant, fork)
    generated = {"number": inserted.number, "created_at": inserted.created_at, "queued_at": inserted.queued_at}
    return SubmittedJob(Job(**_DEFAULTS | row | generated), fair_queue.estimate_from(queue))


def _begin_with(session: Session, number: int, tenant: str, fork: Fork) -> None:
    """Store the checkpoint of a new job, and its first snapshot if it is to have any."""
    checkpoint = {"job_number": number, "tenant": tenant, "epoch": fork.epoch, "data": fork.checkpoint}
    session.execute(insert(Checkpoint).values(at=now(), **checkpoint))
    if fork.snapshot:
        snapshots.add(session, number, tenant, [fork.snapshot])


def _lock_dataset(
    session: Session, tenant: str, dataset_id: str, rank: int, limits: QueueLimits, worker_timeout_seconds: float
) -> Row[Any]:
    """Lock the dataset against deletion, and read the state of the queue in the same statement."""
    tenant_rows.check_id(Dataset, dataset_id)
    parameters = {"tenant": tenant, "dataset_id": dataset_id, "rank": rank, "max_counted": max(limits)}
    parameters |= {"worker_timeout_microseconds": microseconds(worker_timeout_seconds), "new_stride": STRIDE}
    parameters |= {"queued_at": YOUNGEST, "number": YOUNGEST}
    queue = statements.run(session, queries.QUEUE_OF_NEW_JOB, parameters).first()
    if queue is None:
        raise tenant_rows.not_found(Dataset, dataset_id)
    return queue


def _check_limits(queue: Row[Any], limits: QueueLimits) -> None:
    per_tenant = limits.per_tenant if queue.limit_of_tenant is None else queue.limit_of_tenant
    if queue.queued_by_tenant >= per_tenant:
        full = f"{per_tenant} of your jobs"
    elif queue.queued_in_total >= limits.total:
        full = f"{limits.total} jobs of all tenants"
    else:
        return
    raise errors.QueueFull(f"{full} are queued, which is the limit: submit again when some of them have finished")
