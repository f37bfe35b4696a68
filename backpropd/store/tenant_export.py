"""The export of a tenant: every row that it has as JSON lines, and its tables and models as files, in one ZIP file."""

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import ColumnElement, LargeBinary, Table, select, tuple_

from backpropd import errors
from backpropd.store import datasets
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import tenants
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import ApiKey, Base, Checkpoint, Dataset, Job

PAGE = 500  # rows that are read at once
SECRETS = {"sha256", "previous_sha256"}  # of keys


def export(database: Database, blobs: Blobs, tenant: str, target: Path) -> list[str]:
    """Write all that a tenant has to a new ZIP file, except checkpoints and the hashes of keys.

    Returns the ids of the datasets whose bytes are missing or damaged, which are left out. What changes meanwhile
    may be in one table and not yet in another. Raises `errors.Invalid` if the file exists or cannot be written, and
    `errors.NotFound` for an unknown tenant.
    """
    with database.read() as session:
        tenants.check_known(session, tenant)
    with _new_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in _tables():
            _write_rows(archive, database, table, tenant)
        return list(_write_tables(archive, database, blobs, tenant))


@contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """A file that only its owner can read, and that has its name once the block has ended without an error."""
    part = target.with_name(f"{target.name}.part")
    try:
        if target.exists():
            raise FileExistsError
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise errors.Invalid(f"{target} or {part} exists: name a file that does not exist") from error
    except OSError as error:
        raise errors.Invalid(f"{part} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        part.rename(target)
    except OSError as error:
        raise errors.Invalid(f"{part} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _tables() -> list[Table]:
    named = [table for table in Base.metadata.sorted_tables if "tenant" in table.columns]
    return [table for table in named if table.name != Checkpoint.__tablename__]


def _write_rows(archive: zipfile.ZipFile, database: Database, table: Table, tenant: str) -> None:
    with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as lines:
        for row in _rows(database, table, tenant):
            lines.write(json.dumps(row, default=datetime.isoformat).encode() + b"\n")
    files = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
    for name in files:
        with database.read() as session:
            keys = [table.c.id] if "id" in table.c else [*table.primary_key.columns]
            found = session.execute(select(*keys).where(_owned(table, tenant), table.c[name].is_not(None))).all()
            for key in found:
                content = session.scalar(select(table.c[name]).where(tuple_(*keys) == tuple_(*key)))
                id = "-".join(map(str, key))
                archive.writestr(f"{table.name}/{id}.{name}.safetensors", content or b"")


def _rows(database: Database, table: Table, tenant: str) -> Iterator[dict[str, Any]]:
    left_out = SECRETS if table.name == ApiKey.__tablename__ else set()
    columns = [each for each in table.columns if not isinstance(each.type, LargeBinary) and each.name not in left_out]
    key = tuple_(*table.primary_key.columns)
    query = select(*columns).where(_owned(table, tenant)).order_by(*table.primary_key.columns).limit(PAGE)
    after, rows = query, None
    while rows is None or len(rows) == PAGE:
        with database.read() as session:
            rows = [row._asdict() for row in session.execute(after)]
        yield from rows
        last = rows[-1] if rows else {}
        after = query.where(key > tuple_(*(last.get(each.name) for each in table.primary_key.columns)))


def _owned(table: Table, tenant: str) -> ColumnElement[bool]:
    """Whether a row is the tenant's. What a job owns is found by the job, which has an index."""
    if table.foreign_keys:
        return table.c.job_number.in_(select(Job.number).where(Job.tenant == tenant))
    return table.c.tenant == tenant


def _write_tables(archive: zipfile.ZipFile, database: Database, blobs: Blobs, tenant: str) -> Iterator[str]:
    """Write the uploaded tables as Parquet files; yields the ids of those that cannot be read."""
    with database.read() as session:
        found = session.scalars(select(Dataset).where(Dataset.tenant == tenant)).all()
    for dataset in found:
        try:
            with datasets.local_file(database, blobs, dataset) as path:
                archive.write(path, f"{Dataset.__tablename__}/{dataset.id}.parquet", zipfile.ZIP_STORED)
        except (errors.BlobMissing, errors.BlobDamaged, errors.NotFound):
            yield dataset.id
