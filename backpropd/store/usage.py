"""A tenant's usage, counted from its rows."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backpropd.store.sql import statements
from backpropd.store.sql.schema import Dataset, Job, Model


@dataclass(frozen=True)
class Usage:
    """Jobs and the time that workers leased them; the rows of all datasets; the bytes of datasets and models."""

    jobs: int
    training_seconds: float
    datasets: int
    rows: int
    models: int
    bytes: int


def of(session: Session, tenant: str) -> Usage:
    """The usage of this tenant."""
    jobs, seconds = session.execute(
        select(func.count(), func.coalesce(func.sum(Job.training_seconds), 0.0)).where(Job.tenant == tenant)
    ).one()
    datasets, rows, bytes_ = session.execute(
        select(func.count(), _sum(Dataset.rows), _sum(Dataset.size)).where(Dataset.tenant == tenant)
    ).one()
    models, more = session.execute(select(func.count(), _sum(Model.size)).where(Model.tenant == tenant)).one()
    return Usage(jobs, seconds, datasets, int(rows), models, int(bytes_ + more))


def progress(session: Session, tenant: str) -> tuple[dict[str, int], int]:
    """The number of this tenant's jobs by status, and of the epochs that they have trained in total."""
    query = select(Job.status, func.count(), _sum(Job.epoch)).where(Job.tenant == tenant).group_by(Job.status)
    rows = session.execute(query).all()
    return {status: count for status, count, _ in rows}, sum(int(epochs) for _, _, epochs in rows)


def stored_bytes(session: Session, tenant: str) -> int:
    """The bytes of a tenant's datasets and models, from two indexes."""
    return int(statements.run(session, _STORED_BYTES, {"owner": tenant}).scalar_one())


def _sum(column: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


def _bytes_of(kind: type[Dataset] | type[Model]) -> ScalarSelect[int]:
    return select(_sum(kind.size)).where(kind.tenant == bindparam("owner")).scalar_subquery()


_STORED_BYTES = select(_bytes_of(Dataset) + _bytes_of(Model))
