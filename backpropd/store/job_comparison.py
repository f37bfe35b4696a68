"""Several jobs at a time: their rows within a limit of bytes, their best epochs, and their curves on common epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import epochs, jobs
from backpropd.store.curve_buckets import bucket_size
from backpropd.store.sql import tenant_rows
from backpropd.store.sql.schema import Epoch, Job


def get_several(session: Session, tenant: str, ids: Sequence[str], max_bytes: int) -> list[Job]:
    """The tenant's jobs of these ids, in this order.

    Raises `errors.NotFound`, and `errors.Invalid` if they have more than `max_bytes` together: nothing is read then.
    """
    total = sum(tenant_rows.find_columns(session, Job, tenant, id, Job.own_bytes).own_bytes for id in ids)
    if total > max_bytes:
        detail = f"the descriptions of these jobs have {total} bytes, and the limit is {max_bytes}: compare fewer jobs"
        raise errors.Invalid(detail, pointer="/ids")
    return [jobs.get(session, tenant, id) for id in ids]


def last_epochs(session: Session, numbers: Sequence[int]) -> dict[int, int]:
    """The last stored epoch of each of these jobs that has one."""
    found = {}
    for number in numbers:
        last = session.scalar(sa.select(sa.func.max(Epoch.epoch)).where(Epoch.job_number == number))
        if last is not None:
            found[number] = last
    return found


def best_epoch(session: Session, number: int) -> int | None:
    """The first epoch of a job with the lowest validation loss, or without validation the lowest loss."""
    for column in (Epoch.validation_loss, Epoch.loss):
        query = sa.select(Epoch.epoch).where(Epoch.job_number == number, column.is_not(None))
        epoch = session.scalar(query.order_by(column, Epoch.epoch).limit(1))
        if epoch is not None:
            return epoch
    return None


def epoch_row(session: Session, number: int, epoch: int) -> Any:
    """One epoch of a job, as a row of `epochs.FIELDS`."""
    return epochs.after(session, number, epoch - 1, 1)[0]


def common_epochs(session: Session, last: Mapping[int, int], points: int) -> list[int]:
    """At most `points` epochs, at least 2, evenly spaced, that all jobs with these last epochs have stored.

    The first and the last of all common epochs are among them. Of a long curve not every epoch is stored.
    """
    end = min(last.values(), default=0)
    stored = list(range(1, end + 1))
    for number in (number for number, epoch in last.items() if bucket_size(epoch) > 1):
        query = sa.select(Epoch.epoch).where(Epoch.job_number == number, Epoch.epoch <= end)
        own = set(session.scalars(query))
        stored = [epoch for epoch in stored if epoch in own]
    if len(stored) <= points:
        return stored
    return [stored[(len(stored) - 1) * step // (points - 1)] for step in range(points)]


def losses(session: Session, numbers: Sequence[int], at: Sequence[int]) -> dict[tuple[int, int], Any]:
    """`loss, validation_loss` by the job's number and the epoch, of these jobs at these epochs."""
    columns = Epoch.job_number, Epoch.epoch, Epoch.loss, Epoch.validation_loss
    found: dict[tuple[int, int], Any] = {}
    for number in numbers:
        query = sa.select(*columns).where(Epoch.job_number == number, Epoch.epoch.in_(at))
        found |= {(row.job_number, row.epoch): row for row in session.execute(query)}
    return found
