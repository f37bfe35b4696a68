"""Models: what succeeded jobs made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, undefer

from backpropd import errors
from backpropd.store import tenants
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import Job, Model
from backpropd.store.status import OVER


def get(session: Session, tenant: str, model_id: str, *columns: InstrumentedAttribute[Any]) -> Model:
    """The tenant's model of this id, with these of the columns that are not read unasked. Raises `errors.NotFound`."""
    return tenants.find(session, Model, tenant, model_id, *map(undefer, columns))


def list_page(session: Session, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
    """A page of the tenant's models, newest first."""
    return page(session, Model, tenant, limit, cursor)


def delete(session: Session, tenant: str, model_id: str) -> None:
    """Delete a model; the job that made it keeps its id as history.

    Raises `errors.Conflict` while a job that is not over goes on from it, `errors.NotFound`.
    """
    model = tenants.find(session, Model, tenant, model_id, lock=True)
    needed = select(exists().where(Job.warm_start_model_id == model_id, Job.status.not_in(OVER)))
    if session.scalar(needed):
        raise errors.Conflict("a job that is not over goes on from this model: wait for it, or cancel it, then delete")
    session.delete(model)
