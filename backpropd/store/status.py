"""A job's statuses and the moves between them: the one table that everybody asks."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker holds its lease
    PAUSED = "paused"  # put aside with its checkpoint, until somebody resumes it
    SUCCEEDED = "succeeded"  # made its model
    FAILED = "failed"  # ended with an error, which the job names
    CANCELLED = "cancelled"  # ended because somebody asked for it


OVER = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.PAUSED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.PAUSED, Status.QUEUED}),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED}),
    **{status: frozenset() for status in OVER},
}
