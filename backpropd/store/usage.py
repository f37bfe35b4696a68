"""A tenant's usage, counted from its rows."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backpropd.store import sizes
from backpropd.store.sql import statements
from backpropd.store.sql.schema import ApiKey, Audit, Dataset, IdempotencyKey, Job, Model


@dataclass(frozen=True)
class Usage:
    """Jobs and the time that workers leased them; the rows of all datasets; the bytes of everything stored."""

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
    datasets, rows = session.execute(select(func.count(), _sum(Dataset.rows)).where(Dataset.tenant == tenant)).one()
    models = session.scalar(select(func.count()).where(Model.tenant == tenant)) or 0
    return Usage(jobs, seconds, datasets, int(rows), models, stored_bytes(session, tenant))


def progress(session: Session, tenant: str) -> tuple[dict[str, int], int]:
    """The number of this tenant's jobs by status, and of the epochs that they have trained in total."""
    trained = func.coalesce(func.sum(Job.epoch - func.coalesce(Job.parent_epoch, 0)), 0)
    query = select(Job.status, func.count(), trained).where(Job.tenant == tenant).group_by(Job.status)
    rows = session.execute(query).all()
    return {status: count for status, count, _ in rows}, sum(int(epochs) for _, _, epochs in rows)


def stored_bytes(session: Session, tenant: str) -> int:
    """All that a tenant stores, as the quota counts it: an index entry of each row is read."""
    return int(statements.run(session, _STORED_BYTES, {"owner": tenant}).scalar_one())


def _sum(column: InstrumentedAttribute[int]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


def _stored_in(kind: type[Dataset] | type[Job] | type[Model]) -> ScalarSelect[int]:
    return select(_sum(kind.stored_bytes)).where(kind.tenant == bindparam("owner")).scalar_subquery()


def _counted(kind: type[ApiKey] | type[Audit] | type[IdempotencyKey], bytes_each: int) -> ColumnElement[int]:
    return select(func.count()).where(kind.tenant == bindparam("owner")).scalar_subquery() * bytes_each


_STORED_BYTES = select(
    _stored_in(Dataset)
    + _stored_in(Job)
    + _stored_in(Model)
    + _counted(ApiKey, sizes.API_KEY)
    + _counted(Audit, sizes.AUDIT)
    + _counted(IdempotencyKey, sizes.IDEMPOTENCY_KEY)
)
