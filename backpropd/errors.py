"""Every error this project raises: one tree, a stable code each, and a message that says how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

MAX_PROBLEMS = 20  # listed in one error


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request: where (a JSON pointer, RFC 6901) and what to do about it."""

    pointer: str
    detail: str


def pointer(*path: str | int) -> str:
    """The JSON pointer (RFC 6901) of what is reached by these names and indices."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


class BackpropdError(Exception):
    """The root. `code` is stable and for programs; the message is for people and says how to mend it."""

    code = "internal_error"

    def __init__(self, detail: str, *, pointer: str | None = None, problems: Iterable[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        if pointer is not None:
            self.problems = (Problem(pointer, detail), *self.problems)


class Misconfigured(BackpropdError):
    """The settings are wrong, or do not go together: the program does not start."""

    code = "misconfigured"


# ── who may come in ──────────────────────────────────────────────────────────────────────────────────────────────


class Unauthenticated(BackpropdError):
    """The request has no API key, or none that counts; the message says why."""

    code = "unauthenticated"


class KeyMistyped(Unauthenticated):
    """The text is no API key: its checksum, or its form, is wrong."""

    code = "key_mistyped"


class KeyExpired(Unauthenticated):
    """The API key has reached the end of its life."""

    code = "key_expired"


class Forbidden(BackpropdError):
    """Whoever asks may not do this."""

    code = "forbidden"


class MissingScope(Forbidden):
    """The API key is good, and lacks the `scope` that this takes."""

    code = "missing_scope"

    def __init__(self, detail: str, *, scope: str) -> None:
        super().__init__(detail)
        self.scope = scope


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────────────────────


class Malformed(BackpropdError):
    """The request cannot be parsed at all."""

    code = "malformed"


class UnsupportedType(BackpropdError):
    """The body's type is not one that this path takes."""

    code = "unsupported_media_type"


class TooLarge(BackpropdError):
    """The request is larger than the service takes."""

    code = "too_large"


class StorageFull(TooLarge):
    """The tenant's datasets and models are as large as they may be together."""

    code = "storage_full"


class TableTooLarge(TooLarge):
    """More rows, columns or cells than are taken; the message gives the limit and the number."""

    code = "table_too_large"


class RequestTimeout(BackpropdError):
    """The request's body came more slowly than it may."""

    code = "request_timeout"


# ── what can be read and is wrong ────────────────────────────────────────────────────────────────────────────────


class Invalid(BackpropdError):
    """A well-formed request with wrong values; `problems` lists them."""

    code = "invalid"

    @classmethod
    def from_problems(cls, problems: Sequence[Problem]) -> Self:
        """An error that lists the first `MAX_PROBLEMS` of at least one problem; its message is that of the first."""
        first, others = problems[0], len(problems) - 1
        where = f"{first.pointer}: " if first.pointer else ""
        more = "" if not others else f" (and {others} more)" if others < MAX_PROBLEMS else " (and more)"
        return cls(f"{where}{first.detail}{more}", problems=problems[:MAX_PROBLEMS])


class NotATable(Invalid):
    """The file stops being a table; the message names the line, and the column where there is one."""

    code = "not_a_table"


class EmptyDataset(Invalid):
    """A table with no rows, or none that can be used."""

    code = "empty_dataset"


class UnknownColumn(Invalid):
    """A name that is no column of the table; the message lists the columns."""

    code = "unknown_column"


class UnknownSample(Invalid):
    """No bundled sample has this name."""

    code = "unknown_sample"


class OneClass(Invalid):
    """A classification target with fewer than two classes."""

    code = "one_class"


class AllMissing(Invalid):
    """A column without a single value."""

    code = "all_missing"


class ConstantColumn(Invalid):
    """A column with one value only: nothing can be learned from it."""

    code = "constant_column"


class UnusableColumn(Invalid):
    """A column of a kind that cannot be used this way (free text as a feature, words as a regression target)."""

    code = "unusable_column"


class TooLargeForMemory(Invalid):
    """The encoded table and the network would not fit in a worker's memory; the message gives the numbers."""

    code = "too_large_for_memory"


class IdempotencyMismatch(Invalid):
    """An Idempotency-Key came again with another request."""

    code = "idempotency_mismatch"


# ── what the state of things does not allow ──────────────────────────────────────────────────────────────────────


class NotFound(BackpropdError):
    """Nothing of this name, or nothing of this tenant's."""

    code = "not_found"


class Conflict(BackpropdError):
    """The state of the thing does not allow it; the message names the state."""

    code = "conflict"


class Later(BackpropdError):
    """Not now: try again after `retry_after` seconds."""

    code = "later"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(Later):
    """A part that the answer needs is away."""

    code = "unavailable"


class TooMany(Later):
    """More of this than is taken now."""

    code = "too_many"


class QueueFull(TooMany):
    """As many jobs are queued as the service takes; the message says whose limit that is."""

    code = "queue_full"


class RateLimited(TooMany):
    """More requests a minute than one key may make."""

    code = "rate_limited"


class TooManyAtOnce(TooMany):
    """More event streams, requests with a body, or looks inside a model, at a time than one key may have."""

    code = "too_many_at_once"


# ── what ends a job ──────────────────────────────────────────────────────────────────────────────────────────────


class JobFailed(BackpropdError):
    """Training cannot go on: the job ends `failed` with this code and message."""

    code = "job_failed"


class Diverged(JobFailed):
    """The loss or the parameters stopped being finite, first in `layer`; epochs before `epoch` are kept."""

    code = "diverged"

    def __init__(self, detail: str, *, epoch: int, layer: str | None = None) -> None:
        super().__init__(detail)
        self.epoch, self.layer = epoch, layer


class NotRepresentable(JobFailed):
    """No single neuron answers every row of the table; `rows` are a minimal set of rows that none can satisfy."""

    code = "not_representable"

    def __init__(self, detail: str, *, rows: Iterable[int]) -> None:
        super().__init__(detail)
        self.rows = tuple(rows)


class LeaseLost(BackpropdError):
    """Another claim holds the job now: this worker's writes no longer count, and it drops the job."""

    code = "lease_lost"


# ── what a client meets ──────────────────────────────────────────────────────────────────────────────────────────


class ClientError(BackpropdError):
    """Raised by `backpropd.client`: the root of what can go wrong while talking to a service."""

    code = "client_error"


class ServiceUnreachable(ClientError):
    """Nothing answered at the service's address."""

    code = "service_unreachable"


class ServiceError(ClientError):
    """The service answered with a problem (RFC 9457): its `status`, its `code`, its detail and problems.

    `retry_after` is in how many seconds it may be tried again, if the service says so.
    """

    def __init__(
        self, detail: str, *, status: int, code: str, problems: Iterable[Problem] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(detail, problems=problems)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class JobDidNotSucceed(ClientError):
    """A job that was waited for ended `failed` or `cancelled`; `status` says which, `code` why."""

    def __init__(self, detail: str, *, status: str, code: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class WaitTimeout(ClientError):
    """The job was not over within the time given."""

    code = "wait_timeout"
