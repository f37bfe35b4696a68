"""Workers: who is there to train, as they last told."""

from __future__ import annotations

from sqlalchemy import BindParameter, Select, func, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session

from backpropd.store.sql.column_types import now, steady
from backpropd.store.sql.schema import Worker


def seen(session: Session, name: str, slots: int) -> None:
    """Note that this worker lives and has so many places for jobs."""
    worker = session.get(Worker, name)
    if worker is None:
        session.add(Worker(name=name, slots=slots, started_at=now(), seen_at=steady()))
    else:
        worker.slots, worker.seen_at = slots, steady()


def gone(session: Session, name: str) -> None:
    """Note that this worker has stopped."""
    session.execute(sql_delete(Worker).where(Worker.name == name))


def alive(session: Session, within_seconds: float) -> tuple[int, int]:
    """How many workers were heard of lately, and how many places for jobs they have."""
    lately = Worker.seen_at > steady(-within_seconds)
    count, slots = session.execute(select(func.count(), func.coalesce(func.sum(Worker.slots), 0)).where(lately)).one()
    return int(count), int(slots)


def places(since: BindParameter[int]) -> Select[int]:
    """A query for the places for jobs that workers have who were heard of lately: `since` so many seconds from now."""
    return select(func.coalesce(func.sum(Worker.slots), 0)).where(Worker.seen_at > steady(since))
