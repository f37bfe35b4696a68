"""Well-formed requests with wrong values."""

from collections.abc import Iterable
from itertools import islice
from typing import Self

from backpropd.errors.base import BackpropdError, Problem

MAX_PROBLEMS = 20  # listed in one error


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
