"""Epochs: the learning curve of a job, read a page at a time or thinned to a number of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from backpropd.store.schema import Epoch
from backpropd.store.types import JsonText

# Columns: an entity of the ORM takes several times as long to make, and a curve may have a million.
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


def after(session: Session, job_number: int, epoch: int, limit: int) -> Sequence[Any]:
    """The `limit` epochs that follow `epoch`, oldest first, as rows of `FIELDS`.

    The primary key makes any page as quick as the first.
    """
    return session.execute(_ROWS.where(Epoch.job_number == job_number, Epoch.epoch > epoch).limit(limit)).all()


def thinned(session: Session, job_number: int, points: int) -> Sequence[Any]:
    """About `points` epochs, evenly spread, and always the first, the last and those of the smallest losses.

    At most `points` rows of `FIELDS` where `points` is at least 4.
    """
    of_job = Epoch.job_number == job_number
    last = session.scalar(sa.select(sa.func.max(Epoch.epoch)).where(of_job))
    if last is None:
        return []
    kept = {1, last, *_minima(session, job_number)}
    spread = max(points - len(kept), 0)
    kept.update(1 + (last - 1) * step // (spread + 1) for step in range(1, spread + 1))
    return session.execute(_ROWS.where(of_job, Epoch.epoch.in_(kept))).all()


def _minima(session: Session, job_number: int) -> list[int]:
    found = []
    for column in (Epoch.loss, Epoch.validation_loss):
        query = sa.select(Epoch.epoch).where(Epoch.job_number == job_number, column.is_not(None))
        epoch = session.scalar(query.order_by(column, Epoch.epoch).limit(1))
        if epoch is not None:
            found.append(epoch)
    return found
