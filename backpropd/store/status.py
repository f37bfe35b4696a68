"""The statuses of a job and the transitions between them."""

from enum import StrEnum


class Status(StrEnum):
    """The state of a job. The values are stored in SQL and are part of the HTTP contract."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # leased by a worker
    PAUSED = "paused"  # waits, with its checkpoint, until the client resumes it
    SUCCEEDED = "succeeded"  # ended with a model
    FAILED = "failed"  # ended with an error, which the job names
    CANCELLED = "cancelled"  # ended on the client's request


ALLOWED_TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.PAUSED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.PAUSED, Status.QUEUED}),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}

TERMINAL = frozenset(status for status, following in ALLOWED_TRANSITIONS.items() if not following)
