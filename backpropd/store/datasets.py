"""Datasets: the rows that describe uploaded tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import idempotency, tenants
from backpropd.store.blobs import Blobs
from backpropd.store.ids import new_id
from backpropd.store.sql.column_types import now
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import Dataset, Job
from backpropd.store.status import OVER


def create(session: Session, tenant: str, **fields: Any) -> Dataset:
    """Add a dataset: `name, format, rows, size (bytes), sha256, columns`, and its `id` if it has one already."""
    dataset = Dataset(**{"id": new_id("ds"), "tenant": tenant, "created_at": now(), **fields})
    session.add(dataset)
    session.flush()
    session.refresh(dataset)
    return dataset


def get(session: Session, tenant: str, dataset_id: str) -> Dataset:
    """The tenant's dataset of this id. Raises `errors.NotFound`."""
    return tenants.find(session, Dataset, tenant, dataset_id)


def table(session: Session | Connection, tenant: str, dataset_id: str) -> Row[Any]:
    """The `columns` and the number of `rows` of the tenant's dataset of this id. Raises `errors.NotFound`."""
    return tenants.look(session, Dataset, tenant, dataset_id, Dataset.columns, Dataset.rows)


def list_page(session: Session, tenant: str, limit: int, cursor: str | None) -> Page[Dataset]:
    """A page of the tenant's datasets, newest first."""
    return page(session, Dataset, tenant, limit, cursor)


def delete(session: Session, tenant: str, dataset_id: str) -> str:
    """Delete a dataset that no unfinished job needs; finished jobs keep its id as history. Gives its blob's name.

    Raises `errors.Conflict` while a job that is not over was given it, `errors.NotFound`.
    """
    dataset = tenants.find(session, Dataset, tenant, dataset_id, lock=True)
    given = or_(and_(Job.tenant == tenant, Job.dataset_id == dataset_id), Job.validation_dataset_id == dataset_id)
    needed = select(exists().where(given, Job.status.not_in(OVER)))
    if session.scalar(needed):
        raise errors.Conflict("a job that is not over needs this dataset: wait for it, or cancel it, then delete")
    session.delete(dataset)
    idempotency.forget(session, tenant, dataset_id)
    return dataset.sha256


def hold_blob(session: Session, sha256: str) -> None:
    """Let nobody else look whether this blob is needed, or say that it is, before this transaction ends.

    So a reaper deletes no bytes that an upload under way counts on. On SQLite whoever may write is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(int(sha256[:15], 16))))


def blob_is_needed(session: Session, sha256: str) -> bool:
    """Whether any dataset, of any tenant, has these bytes."""
    return bool(session.scalar(select(exists().where(Dataset.sha256 == sha256))))


def delete_blob(session: Session, blobs: Blobs, sha256: str) -> bool:
    """Delete a blob that no dataset names, whoever may be uploading the same bytes; tells whether it was deleted.

    The caller's transaction does nothing else: the blob must not be gone before the row that named it is.
    """
    hold_blob(session, sha256)
    if blob_is_needed(session, sha256):
        return False
    blobs.delete(sha256)
    return True
