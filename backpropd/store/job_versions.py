"""Versions of jobs: the few columns that change whenever clients that follow a job have something new to read."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from backpropd.store.sql.schema import Job


class JobVersion(NamedTuple):
    """What a job's events are derived from: two equal versions have the same events."""

    status: str
    fencing_token: int
    epoch: int


_VERSIONS = select(Job.id, Job.status, Job.fencing_token, Job.epoch)
_VERSIONS = _VERSIONS.where(Job.id.in_(bindparam("job_ids", expanding=True)))


def read(connection: Connection, job_ids: Sequence[str]) -> dict[str, JobVersion]:
    """The versions of these jobs of any tenant, by id. A job that does not exist is left out."""
    rows = connection.execute(_VERSIONS, {"job_ids": job_ids})
    return {job_id: JobVersion(status, token, epoch) for job_id, status, token, epoch in rows}
