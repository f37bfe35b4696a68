"""Whose turn it is: the order in which queued jobs are taken, and what a job can be told of its place in it.

The highest priority goes first. Among equals a tenant that has not had its turn in the current round does, and of a
tenant's jobs the one that has waited longest: however many jobs one tenant queues, another's first waits for one turn.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Label, Row, ScalarSelect, Select, bindparam, case, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from backpropd.store.scheduling import workers
from backpropd.store.sql import statements
from backpropd.store.sql.column_types import in_seconds, now, seconds_named
from backpropd.store.sql.schema import QUEUED, RUNNING, Job, Turn

LAST_JOBS = 50  # whose lengths say how long the next ones may take
ORDER = (Job.rank, Job.queued_at, Job.number)


ENROLLED = select(Turn.tenant).where(Turn.tenant == bindparam("whose")).exists()


def enrol(session: Session, tenant: str) -> None:
    """Have a tenant take part in the rounds, from now on."""
    statements.insert_new(session, Turn, {"tenant": tenant, "round": 0})


def waiting(session: Session, most_running: int) -> list[str]:
    """The tenants that wait, the next first.

    A tenant of whose jobs `most_running` run has no turn; two such claims may make it one more.
    """
    return [tenant for (tenant,) in statements.run(session, HEADS, {"most_running": most_running})]


def note(session: Session, job: Row[Any]) -> None:
    """Note that the tenant of a job that was taken had its turn; the row has what `STANDING` says of it."""
    # New tenants stand in round 0, and nobody is ahead of them there. One that is a round ahead of everybody as it is
    # stays there: another turn puts it no further back, but for a claim at the same moment.
    if not (job.done and job.abreast == 1 and job.current):
        statements.run(session, TURN, {"whose": job.tenant, "now": job.current + job.done})


CURRENT = select(func.max(aliased(Turn).round)).scalar_subquery()


def _heads() -> Select[str]:
    """The tenants that wait and may run more, the next first.

    A look at the index for each tenant, however long the queue: each column of its first job is looked up by itself,
    for a join would leave it to PostgreSQL's guess of how many tenants there are whether it reads all jobs instead.
    """

    def first(column: InstrumentedAttribute[Any]) -> ScalarSelect[Any]:
        of_tenant = select(column).where(QUEUED, Job.tenant == Turn.tenant)
        return of_tenant.order_by(*ORDER).limit(1).correlate(Turn).scalar_subquery()

    running = select(func.count()).where(RUNNING, Job.tenant == Turn.tenant)
    return (
        select(Turn.tenant)
        .where(first(Job.number).is_not(None))
        .where(running.correlate(Turn).scalar_subquery() < bindparam("most_running"))
        .order_by(first(Job.rank), Turn.round >= CURRENT, first(Job.queued_at), first(Job.number))
    )


def _standing() -> tuple[Label[Any], ...]:
    """Of a job's tenant, beside the job: the current round, whether it had a turn in it, and how many tenants did."""
    # Under names that a job has not: beside what SQLite returns, SQLAlchemy writes no table before a column.
    own = select(Turn.tenant.label("who"), Turn.round.label("last")).subquery()
    done = select(own.c.last >= CURRENT).where(own.c.who == Job.tenant).correlate(Job)
    abreast = select(func.count()).where(Turn.round == CURRENT)
    return CURRENT.label("current"), done.scalar_subquery().label("done"), abreast.scalar_subquery().label("abreast")


def _first(whose: Select[str]) -> ScalarSelect[int]:
    """The number of the job of a tenant that goes first, its row locked, past those that others lock just now.

    The tenant is looked up so that PostgreSQL does not see its name: of one that is new to its statistics it would
    think that it has no jobs, and read and sort all of them.
    """
    of_tenant = select(Job.number).where(QUEUED, Job.tenant == whose.scalar_subquery()).order_by(*ORDER).limit(1)
    return of_tenant.with_for_update(skip_locked=True).correlate(None).scalar_subquery()


HEADS = _heads()
STANDING = _standing()
FIRST = _first(HEADS.limit(1))
FIRST_OF_ONE = _first(select(Turn.tenant).where(Turn.tenant == bindparam("whose")))
TURN = update(Turn).where(Turn.tenant == bindparam("whose")).values(round=bindparam("now"))


def somebody_waits(session: Session, priority: int) -> bool:
    """Whether a job of at least this priority is queued."""
    return statements.run(session, WAITING, {"most": -priority}).first() is not None


WAITING = select(Job.number).where(QUEUED, Job.rank <= bindparam("most")).limit(1)


def _count(*which: ColumnElement[bool]) -> ScalarSelect[int]:
    waiting = select(Job.number).where(QUEUED, *which).limit(bindparam("most")).subquery()
    return select(func.count()).select_from(waiting).scalar_subquery()


# How many jobs of the tenant `whose` are queued, and of all tenants; never more than `most` are counted.
COUNTS = _count(Job.tenant == bindparam("whose")).label("own"), _count().label("all")


class QueueEstimate(NamedTuple):
    """A queued job's position, from 1, and when it may start; None if nobody can tell."""

    position: int
    starts: datetime | None


def outlook(session: Session, job: Job, within_seconds: float) -> QueueEstimate:
    """What a queued job can look forward to, going by the last jobs' lengths.

    Nobody can tell when it starts while no worker was heard of `within_seconds`, or before the first job has ended.
    """
    place = {"whose": job.tenant, "rank": job.rank, "queued_at": job.queued_at, "number": job.number}
    return estimate_from(statements.run(session, FIGURES, {**place, "within": in_seconds(-within_seconds)}).one())


def estimate_from(figures: Row[Any]) -> QueueEstimate:
    """The outlook that these figures of `FIGURES` or `FIGURES_OF_NEXT` give."""
    position = figures.urgent + figures.before + int(figures.others) + 1
    ends = position - (figures.places - figures.running)  # so many jobs must end before
    if figures.places == 0 or (figures.seconds is None and ends > 0):
        return QueueEstimate(position, None)
    wait = max(ends, 0) * (figures.seconds or 0.0) / figures.places
    return QueueEstimate(position, figures.moment + timedelta(seconds=wait))


MINE, EQUAL = Job.tenant == bindparam("whose"), Job.rank == bindparam("rank")


def _figures(*earlier: ColumnElement[bool]) -> tuple[Label[Any], ...]:
    """The figures of an outlook, for a job of the tenant `whose` before which those of its own go that are `earlier`.

    The time; queued jobs that are more urgent; those of the tenant that go before; as many of each other tenant, and
    one more; places; running jobs; the last's length.
    """
    before = select(func.count()).where(QUEUED, MINE, EQUAL, *earlier).scalar_subquery()
    theirs = select(func.count().label("jobs")).where(QUEUED, ~MINE, EQUAL).group_by(Job.tenant).subquery().c.jobs
    others = func.coalesce(func.sum(case((theirs > before, before + 1), else_=theirs)), 0)
    last = select(Job.seconds).where(Job.finished_at.is_not(None)).order_by(Job.finished_at.desc()).limit(LAST_JOBS)
    return (
        now().label("moment"),
        select(func.count()).where(QUEUED, Job.rank < bindparam("rank")).label("urgent"),
        before.label("before"),
        select(others).label("others"),
        workers.places(seconds_named("within")).label("places"),
        select(func.count()).where(RUNNING).label("running"),
        select(func.avg(last.subquery().c.seconds)).label("seconds"),
    )


def _queued_earlier() -> ColumnElement[bool]:
    earlier, as_early = Job.queued_at < bindparam("queued_at"), Job.queued_at == bindparam("queued_at")
    return earlier | (as_early & (Job.number < bindparam("number")))


FIGURES = select(*_figures(_queued_earlier()))
# Those of the job that a tenant queues next: all of its own go before.
FIGURES_OF_NEXT = _figures()
