"""Whose turn it is: the order in which queued jobs are taken, and what a job can be told of its place in it.

The highest priority goes first. Among equals a tenant that has not had its turn in the current round does, and of a
tenant's jobs the one that has waited longest: however many jobs one tenant queues, another's first waits for one turn.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from backpropd.store import workers
from backpropd.store.schema import Job, Turn
from backpropd.store.status import Status
from backpropd.store.types import now

QUEUED: ColumnElement[bool] = Job.status == Status.QUEUED.value
LAST_JOBS = 50  # whose lengths say how long the next ones may take
ORDER = (Job.rank, Job.queued_at, Job.number)


def enrol(session: Session, tenant: str) -> None:
    """Have a tenant take part in the rounds."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    session.execute(insert(Turn).values(tenant=tenant, round=0).on_conflict_do_nothing())


def take(session: Session) -> Job | None:
    """The job whose turn it is, its row locked, and the turn noted; None when nobody waits."""
    current = session.scalar(select(func.max(Turn.round))) or 0
    for tenant, done in session.execute(_heads(current)).all():
        job = session.scalar(
            select(Job).where(QUEUED, Job.tenant == tenant).order_by(*ORDER).limit(1).with_for_update(skip_locked=True)
        )
        if job is not None:
            turn = session.get_one(Turn, tenant)
            turn.round = current + 1 if done else current
            return job
    return None


def _heads(current: int) -> Select[str, bool]:
    """The tenants that wait, the next first, and whether they have had their turn in this round.

    A look at the index for each tenant, however long the queue.
    """
    of_tenant = select(Job.number).where(QUEUED, Job.tenant == Turn.tenant)
    first = of_tenant.order_by(*ORDER).limit(1).correlate(Turn).scalar_subquery()
    done = (Turn.round >= current).label("done")
    return select(Turn.tenant, done).join(Job, Job.number == first).order_by(Job.rank, done, Job.queued_at, Job.number)


def somebody_waits(session: Session, priority: int) -> bool:
    """Whether a job of at least this priority is queued."""
    return session.scalar(select(Job.number).where(QUEUED, Job.rank <= -priority).limit(1)) is not None


def count_queued(session: Session, most: int, tenant: str | None = None) -> int:
    """How many jobs are queued, of a tenant or in all; never more than `most` are counted."""
    query = select(Job.number).where(QUEUED)
    if tenant is not None:
        query = query.where(Job.tenant == tenant)
    return session.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0


def position(session: Session, job: Job) -> int:
    """How many jobs go before this queued one, as the queue stands now, plus one."""
    before = (Job.queued_at < job.queued_at) | ((Job.queued_at == job.queued_at) & (Job.number < job.number))
    mine = Job.tenant == job.tenant
    ahead = [
        select(func.count()).where(QUEUED, Job.rank < job.rank),
        select(func.count()).where(QUEUED, mine, Job.rank == job.rank, before),
    ]
    urgent, own = (session.scalar(query) or 0 for query in ahead)
    others = select(func.count()).where(QUEUED, ~mine, Job.rank == job.rank).group_by(Job.tenant)
    return urgent + own + sum(min(count, own + 1) for count in session.scalars(others)) + 1


def outlook(session: Session, job: Job, within_seconds: float) -> tuple[int, datetime | None]:
    """A queued job's position and when it may start, going by the last jobs' lengths; None if nobody can tell.

    Nobody can while no worker lives, or before the first job has ended.
    """
    place = position(session, job)
    _, slots = workers.alive(session, within_seconds)
    running = session.scalar(select(func.count()).where(Job.status == Status.RUNNING)) or 0
    last = select(Job.seconds).where(Job.finished_at.is_not(None)).order_by(Job.finished_at.desc()).limit(LAST_JOBS)
    seconds = session.scalar(select(func.avg(last.subquery().c.seconds)))
    before = place - (slots - running)  # jobs that must end first
    if slots == 0 or (seconds is None and before > 0):
        return place, None
    return place, session.scalar(select(now(max(before, 0) * (seconds or 0.0) / slots)))
