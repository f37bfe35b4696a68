"""The erasure of a tenant: every row and blob of it. An entry of the audit trail remains, which says when."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, Table, delete, select, tuple_

from backpropd.store import audit, datasets
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import tenants
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import ApiKey, Audit, Base, Dataset

ACTION = "tenants.delete"  # of the entries that remain
BATCH = 20  # rows of one transaction, with those that they own: a job may have 100,000 epochs


def erase(database: Database, blobs: Blobs, tenant: str, actor: str) -> dict[str, int]:
    """Delete all that a tenant has; returns the number of deleted rows by table, without those that a job owned.

    The keys go first, so that no further request is admitted. A job that is being trained loses its lease. What a
    request in progress stores later is found by another call. SQLite overwrites deleted bytes. Raises `NotFound` for a
    tenant without any row; an erased tenant still has the audit entry of its erasure.
    """
    with database.write() as session:
        tenants.check_known(session, tenant)
        if any(session.scalar(select(_rows(table, tenant).exists())) for table in _tables()):
            audit.record(session, tenant, actor, ACTION, tenant)
    deleted: dict[str, int] = {}
    for table in _tables():
        while count := _delete_some(database, blobs, table, tenant):
            deleted[table.name] = deleted.get(table.name, 0) + count
    database.empty_log()
    return deleted


def _tables() -> Iterator[Table]:
    """The tables whose rows name a tenant: keys first, the audit trail last, without what is deleted with its job."""
    tables = [table for table in Base.metadata.tables.values() if "tenant" in table.columns]
    first, last = ApiKey.__tablename__, Audit.__tablename__
    owners = [table for table in tables if not table.foreign_keys]
    yield from sorted(owners, key=lambda table: (table.name != first, table.name == last))


def _rows(table: Table, tenant: str) -> Select[Any]:
    """The keys of the rows to delete, and the names of their blobs: all but the entries that remain."""
    rows = select(*table.primary_key.columns, *_blob_name(table)).where(table.c.tenant == tenant)
    return rows.where(table.c.action != ACTION) if table.name == Audit.__tablename__ else rows


def _delete_some(database: Database, blobs: Blobs, table: Table, tenant: str) -> int:
    columns = list(table.primary_key.columns)
    with database.write() as session:
        rows = session.execute(_rows(table, tenant).limit(BATCH)).all()
        keys = [tuple(row)[: len(columns)] for row in rows]
        session.execute(delete(table).where(tuple_(*columns).in_(keys)))
    for row in rows if table.name == Dataset.__tablename__ else ():
        with database.write() as session:
            datasets.delete_blob(session, blobs, row.sha256)
    return len(rows)


def _blob_name(table: Table) -> list[Any]:
    return [table.c.sha256] if table.name == Dataset.__tablename__ else []
