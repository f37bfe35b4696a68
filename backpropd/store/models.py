"""Models: what succeeded jobs made."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from backpropd import errors
from backpropd.store.paging import Page, page
from backpropd.store.schema import Model


def get(session: Session, tenant: str, model_id: str, *, weights: bool = False) -> Model:
    """The tenant's model of this id, with its weights if asked. Raises `errors.NotFound`."""
    query = select(Model).where(Model.tenant == tenant, Model.id == model_id)
    model = session.scalar(query.options(undefer(Model.weights)) if weights else query)
    if model is None:
        raise errors.NotFound(f"there is no model {model_id!r}: GET /v1/models lists yours")
    return model


def list_page(session: Session, tenant: str, limit: int, cursor: str | None) -> Page[Model]:
    """A page of the tenant's models, newest first."""
    return page(session, select(Model).where(Model.tenant == tenant), Model.id, limit, cursor)


def delete(session: Session, tenant: str, model_id: str) -> None:
    """Delete a model; the job that made it keeps its id as history. Raises `errors.NotFound`."""
    session.delete(get(session, tenant, model_id))
