"""Several jobs at a time: their rows within a limit of bytes, their best epochs, and their losses at given epochs."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import epochs, jobs
from backpropd.store.sql import statements, tenant_rows
from backpropd.store.sql.column_types import json_text
from backpropd.store.sql.schema import Epoch, Job

_AT = """
SELECT CAST(wanted.value AS integer) AS wanted, epochs.loss, epochs.validation_loss FROM {each} CROSS JOIN epochs
WHERE epochs.job_number = :job AND epochs.epoch =
    (SELECT max(epoch) FROM epochs WHERE job_number = :job AND epoch <= CAST(wanted.value AS integer))
"""
_LOSSES = {
    "sqlite": sa.text(_AT.format(each="json_each(:epochs) AS wanted")),
    "postgresql": sa.text(_AT.format(each="json_array_elements_text(CAST(:epochs AS json)) AS wanted (value)")),
}


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


def epoch_row(session: Session, number: int, epoch: int) -> Any | None:
    """This epoch of a job, as a row of `epochs.FIELDS`; None if it is not stored, or no longer."""
    return next((row for row in epochs.after(session, number, epoch - 1, 1) if row.epoch == epoch), None)


def spread_epochs(end: int, points: int) -> list[int]:
    """The epochs from 1 to `end`, or `points` of them, at least 2, evenly spaced, with the first and the last."""
    if end <= points:
        return [*range(1, end + 1)]
    return [1 + (end - 1) * step // (points - 1) for step in range(points)]


def losses(session: Session, number: int, at: Sequence[int]) -> dict[int, Any]:
    """Rows of `loss, validation_loss` by each of the epochs `at`: of the last epoch until then that a job has stored.

    Of a long curve not every epoch is stored. At most `len(at)` rows are read.
    """
    rows = statements.run(session, _LOSSES, {"job": number, "epochs": json_text(at)})
    return {row.wanted: row for row in rows}
