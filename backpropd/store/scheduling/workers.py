"""Workers and reapers: their heartbeats, the slots in which workers train jobs, and the errors that they survived."""

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import Worker

WORKER, REAPER = "worker", "reaper"


def record_heartbeat(session: Session, name: str, slots: int, *, role: str = WORKER, failures: int = 0) -> None:
    """Record that this program is alive, trains up to `slots` jobs at the same time, and has logged `failures`."""
    worker = session.get(Worker, name)
    if worker is None:
        session.add(Worker(name=name, role=role, slots=slots, failures=failures, started_at=now(), seen_at=steady()))
    else:
        worker.slots, worker.failures, worker.seen_at = slots, failures, steady()


def remove(session: Session, name: str) -> None:
    """Delete a worker that has stopped."""
    session.execute(sql_delete(Worker).where(Worker.name == name))


def alive(session: Session, timeout_seconds: float, role: str = WORKER) -> tuple[int, int]:
    """The number of workers that sent a heartbeat within `timeout_seconds`, and of their slots."""
    totals = select(func.count(), func.coalesce(func.sum(Worker.slots), 0))
    recent = totals.where(Worker.role == role, Worker.seen_at > steady(-timeout_seconds))
    count, slots = session.execute(recent).one()
    return int(count), int(slots)


def failures(session: Session) -> dict[str, int]:
    """How many errors the known workers and reapers have survived, by role."""
    query = select(Worker.role, func.sum(Worker.failures)).group_by(Worker.role)
    return {role: int(count) for role, count in session.execute(query)}
