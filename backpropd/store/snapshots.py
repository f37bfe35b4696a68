"""Snapshots: the state of a job's training after some of its epochs, written with them, read in pages and forked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, func, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from backpropd.store import sizes
from backpropd.store.sql import statements
from backpropd.store.sql.schema import Job, Snapshot

_OF_JOB = Snapshot.job_number == bindparam("job")
_RETURN_TO = sql_delete(Snapshot).where(_OF_JOB, Snapshot.epoch > bindparam("last"))
_COUNT = update(Job).where(Job.number == bindparam("job"))
_ADD_BYTES = _COUNT.values(
    snapshot_bytes=Job.snapshot_bytes + bindparam("added"), stored_bytes=Job.stored_bytes + bindparam("added")
)
_LEFT = select(func.coalesce(func.sum(Snapshot.size), 0)).where(_OF_JOB).scalar_subquery()
_COUNT_AGAIN = _COUNT.values(snapshot_bytes=_LEFT, stored_bytes=Job.stored_bytes - Job.snapshot_bytes + _LEFT)


class StoredSnapshot(NamedTuple):
    """A snapshot as it is stored: the weights as a safetensors file, and the rest of the state."""

    epoch: int
    weights: bytes
    state: bytes


class SnapshotPage(NamedTuple):
    """Consecutive snapshots: the epoch of the last, the bytes of all parameters, whether more follow."""

    last: int
    bytes: int
    has_more: bool


def size_of(snapshot: StoredSnapshot) -> int:
    """The bytes that a snapshot counts in the quota."""
    return sizes.SNAPSHOT + len(snapshot.weights) + len(snapshot.state)


def add(session: Session, job_number: int, tenant: str, snapshots: Sequence[StoredSnapshot]) -> None:
    """Insert snapshots and count their bytes; those that exist already stay as they are."""
    added = 0
    for each in snapshots:
        row, size = {"job_number": job_number, "tenant": tenant, **each._asdict()}, size_of(each)
        added += size if statements.insert_new(session, Snapshot, {**row, "bytes": size}) else 0
    if added:
        statements.run(session, _ADD_BYTES, {"job": job_number, "added": added})


def return_to(session: Session, job_number: int, epoch: int) -> None:
    """Delete the snapshots after an epoch, which the job will train again, and count the bytes that are left."""
    if statements.run(session, _RETURN_TO, {"job": job_number, "last": epoch}).rowcount:
        statements.run(session, _COUNT_AGAIN, {"job": job_number})


def page(session: Session, job_number: int, after: int, limit: int, max_bytes: int) -> SnapshotPage:
    """The first snapshots after the epoch `after`, without reading them.

    There are at most `limit` of them, and more than one only if their parameters have at most `max_bytes` together.
    """
    lengths = select(Snapshot.epoch, func.length(Snapshot.weights)).where(_after(job_number, after))
    found = session.execute(lengths.order_by(Snapshot.epoch).limit(limit + 1)).all()
    last, total, count = after, 0, 0
    for epoch, length in found:
        if count == limit or (count and total + length > max_bytes):
            break
        last, total, count = epoch, total + length, count + 1
    return SnapshotPage(last, total, len(found) > count)


def weights(session: Session, job_number: int, after: int, last: int) -> Sequence[Any]:
    """Rows of `epoch, weights` of the snapshots after the epoch `after` up to `last`, oldest first."""
    query = select(Snapshot.epoch, Snapshot.weights).where(_after(job_number, after), Snapshot.epoch <= last)
    return session.execute(query.order_by(Snapshot.epoch)).all()


def _after(job_number: int, epoch: int) -> ColumnElement[bool]:
    return and_(Snapshot.job_number == job_number, Snapshot.epoch > epoch)


def get(session: Session, job_number: int, epoch: int) -> StoredSnapshot | None:
    """The snapshot of this epoch, None if there is none."""
    query = select(Snapshot.epoch, Snapshot.weights, Snapshot.state)
    found = session.execute(query.where(Snapshot.job_number == job_number, Snapshot.epoch == epoch)).first()
    return StoredSnapshot(*found) if found else None


def bytes_of(session: Session, job_number: int, epoch: int) -> int:
    """The bytes of the snapshot of this epoch, 0 if there is none."""
    query = select(Snapshot.size).where(Snapshot.job_number == job_number, Snapshot.epoch == epoch)
    return session.scalar(query) or 0


def nearest(session: Session, job_number: int, epoch: int) -> list[int]:
    """The epochs of the last snapshot before this epoch and of the first one after it, where there are such."""
    before = select(func.max(Snapshot.epoch)).where(Snapshot.job_number == job_number, Snapshot.epoch < epoch)
    following = select(func.min(Snapshot.epoch)).where(Snapshot.job_number == job_number, Snapshot.epoch > epoch)
    return [each for each in (session.scalar(before), session.scalar(following)) if each is not None]
