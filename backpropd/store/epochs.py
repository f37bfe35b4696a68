"""Epochs: a job's learning curve, written in batches, read in pages or thinned to a number of points."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from backpropd.store.curve_buckets import bucket_size
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import JsonText, json_text
from backpropd.store.sql.schema import Epoch

# Columns instead of ORM objects, which take several times as long to make: a curve may have a million epochs.
_ROWS = sa.select(
    Epoch.epoch,
    Epoch.loss,
    Epoch.validation_loss,
    sa.cast(Epoch.metrics, JsonText).label("metrics"),
    sa.cast(Epoch.validation_metrics, JsonText).label("validation_metrics"),
    Epoch.gradient_norm,
    Epoch.learning_rate,
    Epoch.seconds,
).order_by(Epoch.epoch)
FIELDS = tuple(_ROWS.selected_columns.keys())
# One parameter for all rows: several times as fast on PostgreSQL as one row at a time. JSON instead of JSONB, which
# would convert each number to a decimal.
_ADD = sa.text(
    "INSERT INTO epochs (job_number, tenant, epoch, loss, validation_loss, metrics, validation_metrics, "
    "gradient_norm, learning_rate, seconds) "
    "SELECT :job, :tenant, row.* FROM json_to_recordset(CAST(:rows AS json)) AS row (epoch integer, loss float8, "
    "validation_loss float8, metrics jsonb, validation_metrics jsonb, gradient_norm float8, learning_rate float8, "
    "seconds float8) ON CONFLICT DO NOTHING"
)

_DROP_FROM = "DELETE FROM epochs WHERE job_number = :job AND epoch IN (SELECT CAST(value AS integer) FROM"
_DROP = {
    "sqlite": sa.text(f"{_DROP_FROM} json_each(:epochs))"),
    "postgresql": sa.text(f"{_DROP_FROM} json_array_elements_text(CAST(:epochs AS json)))"),
}


def add(session: Session, job_number: int, tenant: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert epochs, dicts of `FIELDS`; those that exist already stay as they are."""
    if session.get_bind().dialect.name == "postgresql":
        owner = {"job": job_number, "tenant": tenant}
        statements.run(session, _ADD, {**owner, "rows": json_text(rows)})
    else:
        owned = [{"job_number": job_number, "tenant": tenant, **row} for row in rows]
        statements.insert_new(session, Epoch, owned)


def drop(session: Session, job_number: int, epochs: Sequence[int]) -> None:
    """Delete these epochs of a job, which are thinned out."""
    statements.run(session, _DROP, {"job": job_number, "epochs": json_text(epochs)})


def points(session: Session, job_number: int) -> Sequence[Any]:
    """`epoch, loss, validation_loss, metrics` of every stored epoch, oldest first."""
    columns = (_ROWS.selected_columns[name] for name in ("epoch", "loss", "validation_loss", "metrics"))
    return session.execute(_ROWS.with_only_columns(*columns).where(Epoch.job_number == job_number)).all()


def after(session: Session, job_number: int, epoch: int, limit: int) -> Sequence[Any]:
    """The `limit` epochs after `epoch`, oldest first, as rows of `FIELDS`. Any page is as fast as the first."""
    return session.execute(_ROWS.where(Epoch.job_number == job_number, Epoch.epoch > epoch).limit(limit)).all()


def thinned(session: Session, job_number: int, points: int) -> Sequence[Any]:
    """About `points` epochs, evenly spaced, as rows of `FIELDS`; at most that many if `points` is at least 4.

    They include the first, the last, and those of the smallest loss and validation loss.
    """
    of_job = Epoch.job_number == job_number
    first, last = session.execute(sa.select(sa.func.min(Epoch.epoch), sa.func.max(Epoch.epoch)).where(of_job)).one()
    if last is None:
        return []
    chosen = {first, last, *_minima(session, job_number)}
    spread = max(points - len(chosen), 0)
    even = [first + (last - first) * step // (spread + 1) for step in range(1, spread + 1)]
    if bucket_size(last) > 1:  # not every epoch is stored: take the next one that is
        stored = session.scalars(sa.select(Epoch.epoch).where(of_job).order_by(Epoch.epoch)).all()
        even = [stored[bisect_left(stored, epoch)] for epoch in even]
    return session.execute(_ROWS.where(of_job, Epoch.epoch.in_(chosen.union(even)))).all()


def _minima(session: Session, job_number: int) -> list[int]:
    found = []
    for column in (Epoch.loss, Epoch.validation_loss):
        query = sa.select(Epoch.epoch).where(Epoch.job_number == job_number, column.is_not(None))
        epoch = session.scalar(query.order_by(column, Epoch.epoch).limit(1))
        if epoch is not None:
            found.append(epoch)
    return found
