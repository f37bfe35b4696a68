"""The jobs of a cluster: posted over HTTP, and watched in the database."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import httpx
from sqlalchemy import select

from backpropd.store import job_versions, jobs
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Job
from backpropd.store.status import TERMINAL
from tests.acceptance.faults import job_kinds
from tests.acceptance.faults.waiting import eventually

TABLES = {kind["table"] for kind in job_kinds.KINDS.values()}


class ClusterJobs(ABC):
    """What every cluster offers, wherever its programs run."""

    database: Database

    @abstractmethod
    def request(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """The API's response, or a 599 if there is none."""

    @abstractmethod
    def logs(self) -> str:
        """The last lines of every program's log."""

    def post(self, *kinds: str, times: int = 1, **changes: Any) -> list[str]:
        """Post a job of each of these kinds, with `times` the kind's epochs; returns their ids."""
        return [self.create("/v1/jobs", {**job_kinds.request(kind, self.datasets, times), **changes}) for kind in kinds]

    @cached_property
    def datasets(self) -> dict[str, str]:
        """The id of a dataset for each table that the kinds of jobs use."""
        return {table: self.create("/v1/datasets", {"sample": table}) for table in sorted(TABLES)}

    def create(self, path: str, body: dict[str, Any]) -> str:
        """Post a body; returns the id of the new resource."""
        answer = self.request(path, "POST", json=body)
        assert answer.status_code in (201, 202), answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> Job:
        """The job's row."""
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.id == job_id)).one()

    def reasons(self, job_id: str) -> list[str]:
        """The reason of each of the job's transitions."""
        job = self.job(job_id)
        with self.database.read() as session:
            return [each.reason for each in jobs.transitions(session, [job])[job.number]]

    def statuses(self, job_ids: Sequence[str]) -> list[str]:
        with self.database.read_connection() as connection:
            found = {job_id: version.status for job_id, version in job_versions.read(connection, job_ids).items()}
        return [found[job_id] for job_id in job_ids]

    def cancel_all(self) -> None:
        """Cancel all unfinished jobs, for the next test."""
        with self.database.write() as session:
            for job in session.scalars(select(Job).where(Job.status.not_in(TERMINAL))):
                jobs.cancel(session, job.tenant, job.id)

    def wait_until_ended(self, job_ids: Sequence[str]) -> None:
        """Wait until these jobs have ended."""
        eventually(lambda: all(status in TERMINAL for status in self.statuses(job_ids)), self.logs)

    def wait_until_running(self, job_id: str, epochs: int = 1) -> None:
        """Wait until this job has `epochs`, or has ended."""
        eventually(lambda: self.job(job_id).epoch >= epochs or self.job(job_id).status in TERMINAL, self.logs)
