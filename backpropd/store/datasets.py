"""Datasets: the rows that describe uploaded tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import idempotency, sizes
from backpropd.store.blobs import Blobs
from backpropd.store.ids import new_id
from backpropd.store.sql import tenant_rows
from backpropd.store.sql.column_types import now
from backpropd.store.sql.database import Database
from backpropd.store.sql.paging import Page, page
from backpropd.store.sql.schema import Dataset, Job
from backpropd.store.status import TERMINAL


def create(session: Session, tenant: str, **fields: Any) -> Dataset:
    """Add a dataset: `name, format, rows, size` (in bytes), `sha256, columns`, and optionally its `id`."""
    generated = {"id": new_id("ds"), "tenant": tenant, "created_at": now(), "width": len(fields["columns"])}
    generated["stored_bytes"] = sizes.of_dataset(fields, fields["size"])
    dataset = Dataset(**{**generated, **fields})
    session.add(dataset)
    session.flush()
    session.refresh(dataset)
    return dataset


def get(session: Session, tenant: str, dataset_id: str) -> Dataset:
    """The tenant's dataset of this id. Raises `errors.NotFound`."""
    return tenant_rows.find(session, Dataset, tenant, dataset_id)


def table(session: Session | Connection, tenant: str, dataset_id: str) -> Row[Any]:
    """The `columns` and the number of `rows` of the tenant's dataset. Raises `errors.NotFound`."""
    return tenant_rows.find_columns(session, Dataset, tenant, dataset_id, Dataset.columns, Dataset.rows)


def summary(session: Session, tenant: str, dataset_id: str) -> Row[Any]:
    """`name, rows, width, sha256` of the tenant's dataset. Raises `errors.NotFound`."""
    columns = Dataset.name, Dataset.rows, Dataset.width, Dataset.sha256
    return tenant_rows.find_columns(session, Dataset, tenant, dataset_id, *columns)


def list_page(session: Session, tenant: str, limit: int, cursor: str | None) -> Page[Dataset]:
    """A page of the tenant's datasets, newest first, without what describes their columns."""
    return page(session, Dataset, tenant, limit, cursor, unread=(Dataset.columns, Dataset.dialect, Dataset.warnings))


def blob(session: Session | Connection, tenant: str, dataset_id: str) -> Row[Any]:
    """The `width` of the tenant's dataset, and what `local_file` needs of it. Raises `errors.NotFound`."""
    columns = Dataset.id, Dataset.tenant, Dataset.sha256, Dataset.width
    return tenant_rows.find_columns(session, Dataset, tenant, dataset_id, *columns)


def delete(session: Session, tenant: str, dataset_id: str) -> str:
    """Delete a dataset; returns the name of its blob. Finished jobs still refer to the dataset by its id.

    Raises `errors.Conflict` while an unfinished job needs it, `errors.NotFound`.
    """
    dataset = tenant_rows.find(session, Dataset, tenant, dataset_id, lock=True)
    named = or_(and_(Job.tenant == tenant, Job.dataset_id == dataset_id), Job.validation_dataset_id == dataset_id)
    needed = select(exists().where(named, Job.status.not_in(TERMINAL)))
    if session.scalar(needed):
        raise errors.Conflict("an unfinished job needs this dataset: wait for the job or cancel it, then delete again")
    session.delete(dataset)
    idempotency.forget(session, tenant, dataset_id)
    return dataset.sha256


@contextmanager
def local_file(database: Database, blobs: Blobs, dataset: Dataset | Row[Any]) -> Iterator[Path]:
    """The verified Parquet file of a dataset. Raises `errors.BlobMissing`, `errors.BlobDamaged`, `errors.NotFound`."""
    try:
        with blobs.local_path(dataset.sha256, f"the dataset {dataset.id}") as path:
            yield path
    except errors.BlobMissing:
        with database.read() as session:  # it may have been deleted since its row was read
            get(session, dataset.tenant, dataset.id)
        raise


def lock_blob(session: Session, sha256: str) -> None:
    """Lock a blob's name until this transaction ends, so that no reaper deletes bytes that an upload relies on.

    SQLite has only one writer at a time and needs no lock.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(int(sha256[:15], 16))))


def blob_is_referenced(session: Session, sha256: str) -> bool:
    """Whether a dataset of any tenant refers to this blob."""
    return bool(session.scalar(select(exists().where(Dataset.sha256 == sha256))))


def delete_blob(session: Session, blobs: Blobs, sha256: str) -> bool:
    """Delete a blob unless a dataset refers to it. Returns whether it was deleted.

    Needs a transaction of its own: the deletion of the row that referred to the blob must be committed first.
    """
    lock_blob(session, sha256)
    if blob_is_referenced(session, sha256):
        return False
    blobs.delete(sha256)
    return True
