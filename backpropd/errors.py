"""The errors of the service and the library: one tree, each with a stable code, and a message that says what to do.

BackpropdError
├── Misconfigured
├── Unauthenticated
│   ├── KeyMistyped
│   └── KeyExpired
├── Forbidden
│   └── MissingScope
├── Malformed, UnsupportedMediaType, NotAcceptable, RequestTimeout
├── TooLarge
│   └── StorageFull, TableTooLarge
├── Invalid
│   ├── NotATable, EmptyDataset, UnknownColumn, UnknownSample
│   ├── OneClass, AllMissing, ConstantColumn, UnusableColumn
│   └── TooLargeForMemory, IdempotencyMismatch
├── NotFound, Conflict
├── RetryLater
│   ├── Unavailable
│   │   └── DatabaseDamaged, DiskFull, SchemaTooNew
│   └── TooMany
│       └── QueueFull, RateLimited, TooManyAtOnce
├── JobFailed
│   └── Diverged, NotRepresentable
├── BlobMissing, BlobDamaged
├── LeaseLost
└── ClientError, in backpropd.client.errors
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Self

MAX_PROBLEMS = 20  # listed in one error


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request: where (a JSON pointer, RFC 6901) and how to fix it."""

    pointer: str
    detail: str


def pointer(*path: str | int) -> str:
    """The JSON pointer (RFC 6901) of the value under these names and indices."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


class BackpropdError(Exception):
    """The root. `code` is stable and for programs; the message says how to fix the input."""

    code = "internal_error"

    def __init__(self, detail: str, *, pointer: str | None = None, problems: Iterable[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        if pointer is not None:
            self.problems = (Problem(pointer, detail), *self.problems)


class Misconfigured(BackpropdError):
    """A setting is invalid, or two contradict each other: the program does not start."""

    code = "misconfigured"


class Unauthenticated(BackpropdError):
    """The request has no valid API key; the message says why."""

    code = "unauthenticated"


class KeyMistyped(Unauthenticated):
    """The token is not an API key: its format or its checksum is wrong."""

    code = "key_mistyped"


class KeyExpired(Unauthenticated):
    """The API key has expired."""

    code = "key_expired"


class Forbidden(BackpropdError):
    """The client is not allowed to do this."""

    code = "forbidden"


class MissingScope(Forbidden):
    """The API key is valid but lacks the required `scope`."""

    code = "missing_scope"

    def __init__(self, detail: str, *, scope: str) -> None:
        super().__init__(detail)
        self.scope = scope


class Malformed(BackpropdError):
    """The request cannot be parsed."""

    code = "malformed"


class UnsupportedMediaType(BackpropdError):
    """The route does not accept the body's Content-Type."""

    code = "unsupported_media_type"


class NotAcceptable(BackpropdError):
    """The route has no answer of a type that the request's `Accept` allows."""

    code = "not_acceptable"


class RequestTimeout(BackpropdError):
    """The request's body arrived more slowly than allowed."""

    code = "request_timeout"


class TooLarge(BackpropdError):
    """The request exceeds a size limit."""

    code = "too_large"


class StorageFull(TooLarge):
    """The tenant's datasets and models together have reached their limit."""

    code = "storage_full"


class TableTooLarge(TooLarge):
    """The table exceeds a limit of rows, columns or cells; the message gives the limit and the number."""

    code = "table_too_large"


class Invalid(BackpropdError):
    """A well-formed request with wrong values; `problems` lists them."""

    code = "invalid"

    @classmethod
    def from_problems(cls, found: Iterable[Problem]) -> Self:
        """An error that lists the first `MAX_PROBLEMS` of at least one problem; hardly more are taken from `found`."""
        problems = list(islice(found, MAX_PROBLEMS + 1))
        first, others = problems[0], len(problems) - 1
        where = f"{first.pointer}: " if first.pointer else ""
        more = "" if not others else f" (and {others} more)" if others < MAX_PROBLEMS else " (and more)"
        return cls(f"{where}{first.detail}{more}", problems=problems[:MAX_PROBLEMS])


class NotATable(Invalid):
    """The file is not a valid table; the message names the line and, where there is one, the column."""

    code = "not_a_table"


class EmptyDataset(Invalid):
    """A table without rows, or without usable rows."""

    code = "empty_dataset"


class UnknownColumn(Invalid):
    """The table has no column of this name; the message lists its columns."""

    code = "unknown_column"


class UnknownSample(Invalid):
    """No bundled sample has this name."""

    code = "unknown_sample"


class OneClass(Invalid):
    """A classification target with fewer than two classes."""

    code = "one_class"


class AllMissing(Invalid):
    """A column without any value."""

    code = "all_missing"


class ConstantColumn(Invalid):
    """A column with a single distinct value: nothing can be learned from it."""

    code = "constant_column"


class UnusableColumn(Invalid):
    """A column whose kind does not fit its use, such as free text as a feature or categories as a regression target."""

    code = "unusable_column"


class TooLargeForMemory(Invalid):
    """The encoded table and the network do not fit in a worker's memory; the message gives the numbers."""

    code = "too_large_for_memory"


class IdempotencyMismatch(Invalid):
    """An Idempotency-Key was repeated with a different request."""

    code = "idempotency_mismatch"


class NotFound(BackpropdError):
    """The tenant has no resource of this name."""

    code = "not_found"


class Conflict(BackpropdError):
    """The resource's state does not allow this; the message names the state."""

    code = "conflict"


class RetryLater(BackpropdError):
    """Not possible now: try again after `retry_after` seconds."""

    code = "later"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(RetryLater):
    """A component that the answer needs is unavailable."""

    code = "unavailable"


class DatabaseDamaged(Unavailable):
    """The database's files are damaged."""

    code = "database_damaged"


class DiskFull(Unavailable):
    """Nothing can be written: the disk is full."""

    code = "disk_full"


class SchemaTooNew(Unavailable):
    """A newer version of this program has migrated the database."""

    code = "schema_too_new"


class TooMany(RetryLater):
    """A limit on numbers of requests or resources is reached."""

    code = "too_many"


class QueueFull(TooMany):
    """The queue has reached a limit; the message says whether it is the tenant's or the service's."""

    code = "queue_full"


class RateLimited(TooMany):
    """The API key has made too many requests in a minute."""

    code = "rate_limited"


class TooManyAtOnce(TooMany):
    """The API key has too many concurrent event streams, request bodies or inspections of models."""

    code = "too_many_at_once"


class JobFailed(BackpropdError):
    """Training cannot continue: the job ends `failed` with this code and message."""

    code = "job_failed"


class Diverged(JobFailed):
    """The loss or the parameters became non-finite in `epoch`, first in `layer`; earlier epochs are stored."""

    code = "diverged"

    def __init__(self, detail: str, *, epoch: int, layer: str | None = None) -> None:
        super().__init__(detail)
        self.epoch, self.layer = epoch, layer


class NotRepresentable(JobFailed):
    """No single neuron fits every row of the table; `rows` is a minimal set of rows that no neuron satisfies."""

    code = "not_representable"

    def __init__(self, detail: str, *, rows: Iterable[int]) -> None:
        super().__init__(detail)
        self.rows = tuple(rows)


class BlobMissing(BackpropdError):
    """The stored bytes of a dataset are gone; the message names it."""

    code = "blob_missing"


class BlobDamaged(BackpropdError):
    """The stored bytes of a dataset, a model or a checkpoint are not those that were written; the message names it."""

    code = "blob_damaged"


class LeaseLost(BackpropdError):
    """The worker does not hold the job's lease any more: its writes are rejected, and it drops the job."""

    code = "lease_lost"
