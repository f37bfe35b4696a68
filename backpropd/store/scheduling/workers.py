"""Workers: their heartbeats, and the slots in which they train jobs."""

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import Worker


def record_heartbeat(session: Session, name: str, slots: int) -> None:
    """Record that this worker is alive and trains up to `slots` jobs at the same time."""
    worker = session.get(Worker, name)
    if worker is None:
        session.add(Worker(name=name, slots=slots, started_at=now(), seen_at=steady()))
    else:
        worker.slots, worker.seen_at = slots, steady()


def remove(session: Session, name: str) -> None:
    """Delete a worker that has stopped."""
    session.execute(sql_delete(Worker).where(Worker.name == name))


def alive(session: Session, timeout_seconds: float) -> tuple[int, int]:
    """The number of workers that sent a heartbeat within `timeout_seconds`, and of their slots."""
    totals = select(func.count(), func.coalesce(func.sum(Worker.slots), 0))
    count, slots = session.execute(totals.where(Worker.seen_at > steady(-timeout_seconds))).one()
    return int(count), int(slots)
