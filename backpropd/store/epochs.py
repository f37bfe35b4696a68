"""Epochs: the learning curve of a job, read a page at a time or thinned to a number of points."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from backpropd.store.schema import Epoch


def after(session: Session, job_number: int, epoch: int, limit: int) -> Sequence[Epoch]:
    """The `limit` epochs that follow `epoch`, oldest first. The primary key makes any page as quick as the first."""
    query = sa.select(Epoch).where(Epoch.job_number == job_number, Epoch.epoch > epoch)
    return session.scalars(query.order_by(Epoch.epoch).limit(limit)).all()


def thinned(session: Session, job_number: int, points: int) -> Sequence[Epoch]:
    """About `points` epochs, evenly spread, and always the first, the last and those of the smallest losses.

    At most `points` rows where `points` is at least 4.
    """
    of_job = Epoch.job_number == job_number
    last = session.scalar(sa.select(sa.func.max(Epoch.epoch)).where(of_job))
    if last is None:
        return []
    kept = {1, last, *_minima(session, job_number)}
    spread = max(points - len(kept), 0)
    kept.update(1 + (last - 1) * step // (spread + 1) for step in range(1, spread + 1))
    return session.scalars(sa.select(Epoch).where(of_job, Epoch.epoch.in_(kept)).order_by(Epoch.epoch)).all()


def _minima(session: Session, job_number: int) -> list[int]:
    found = []
    for column in (Epoch.loss, Epoch.validation_loss):
        query = sa.select(Epoch.epoch).where(Epoch.job_number == job_number, column.is_not(None))
        epoch = session.scalar(query.order_by(column, Epoch.epoch).limit(1))
        if epoch is not None:
            found.append(epoch)
    return found
