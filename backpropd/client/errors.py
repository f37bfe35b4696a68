"""The errors that the client raises.

ClientError
├── ServiceUnreachable
├── ServiceError
├── JobDidNotSucceed
└── WaitTimeout
"""

from __future__ import annotations

from collections.abc import Iterable

from backpropd.client.types import Job
from backpropd.errors import BackpropdError, Problem


class ClientError(BackpropdError):
    """The root of the client's errors; raised itself for a file that cannot be sent."""

    code = "client_error"


class ServiceUnreachable(ClientError):
    """There is no answer from the service's address."""

    code = "service_unreachable"


class ServiceError(ClientError):
    """The service answered with a problem document (RFC 9457): its `status`, `code`, detail and problems.

    `retry_after` is the number of seconds after which the request may be repeated, if the service says so.
    """

    def __init__(
        self, detail: str, *, status: int, code: str, problems: Iterable[Problem] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(detail, problems=problems)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class JobDidNotSucceed(ClientError):
    """The awaited job ended in another status than `succeeded`: see `status` and `code`."""

    def __init__(self, detail: str, *, status: str, code: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code

    @classmethod
    def from_job(cls, job: Job) -> JobDidNotSucceed:
        """The error of a job that has ended in another status than `succeeded`."""
        error = job["error"] or {"code": job["status"], "detail": f"the job is {job['status']}"}
        return cls(error["detail"], status=job["status"], code=error["code"])


class WaitTimeout(ClientError):
    """The job did not end within the given time."""

    code = "wait_timeout"
