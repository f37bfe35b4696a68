"""What a tenant uses: counted from what is there, so that it is always right."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backpropd.store.sql import statements
from backpropd.store.sql.schema import Dataset, Job, Model


@dataclass(frozen=True)
class Usage:
    """Jobs and the seconds that workers have held them; the rows of all datasets; the bytes of datasets and models."""

    jobs: int
    training_seconds: float
    datasets: int
    rows: int
    models: int
    bytes: int


def of(session: Session, tenant: str) -> Usage:
    """What this tenant's datasets, jobs and models come to."""
    jobs, seconds = session.execute(
        select(func.count(), func.coalesce(func.sum(Job.seconds), 0.0)).where(Job.tenant == tenant)
    ).one()
    datasets, rows, bytes_ = session.execute(
        select(func.count(), _sum(Dataset.rows), _sum(Dataset.size)).where(Dataset.tenant == tenant)
    ).one()
    models, more = session.execute(select(func.count(), _sum(Model.size)).where(Model.tenant == tenant)).one()
    return Usage(jobs, seconds, datasets, int(rows), models, int(bytes_ + more))


def progress(session: Session, tenant: str) -> tuple[dict[str, int], int]:
    """How many jobs of this tenant have each status, and how many epochs they have come to in all."""
    query = select(Job.status, func.count(), _sum(Job.epoch)).where(Job.tenant == tenant).group_by(Job.status)
    rows = session.execute(query).all()
    return {status: count for status, count, _ in rows}, sum(int(epochs) for _, _, epochs in rows)


def stored_bytes(session: Session, tenant: str) -> int:
    """The bytes of a tenant's datasets and models: a look at two indexes."""
    return int(statements.run(session, STORED, {"owner": tenant}).scalar_one())


def _sum(column: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


def _stored() -> Select[int]:
    datasets = select(_sum(Dataset.size)).where(Dataset.tenant == bindparam("owner")).scalar_subquery()
    models = select(_sum(Model.size)).where(Model.tenant == bindparam("owner")).scalar_subquery()
    return select(datasets + models)


STORED = _stored()
