"""Marks: what tells whether there is news of a job, read for all jobs that somebody watches, many times a second."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, bindparam, select

from backpropd.store.sql.schema import Job

_MARKS = select(Job.id, Job.status, Job.token, Job.epoch).where(Job.id.in_(bindparam("jobs", expanding=True)))


def of(connection: Connection, job_ids: Sequence[str]) -> Sequence[Row[str, str, int, int]]:
    """The `id, status, token, epoch` of these jobs, of any tenant."""
    return connection.execute(_MARKS, {"jobs": job_ids}).all()
