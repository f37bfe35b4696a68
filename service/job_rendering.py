"""Jobs as JSON: rows joined with their transitions, and a queued job with its position in the queue."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from backpropd.store import jobs
from backpropd.store.scheduling import fair_queue
from backpropd.store.sql import schema
from backpropd.store.status import Status
from service.schemas.jobs import Job, JobSummary
from service.services import services


def render_job(session: Session, row: schema.Job) -> dict[str, Any]:
    """One job, with its position if it is queued."""
    queue = None
    if row.status == Status.QUEUED:
        queue = fair_queue.estimate(session, row, services().settings.lease_seconds)
    return Job.of(row, jobs.transitions(session, [row])[row.number], queue)


def render_jobs(session: Session, rows: Sequence[schema.Job]) -> list[dict[str, Any]]:
    """The jobs of a page, without positions and specs."""
    transitions = jobs.transitions(session, rows)
    return [JobSummary.of(row, transitions[row.number]) for row in rows]
