"""The limits and the context of a request, and the plan that it is resolved to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.learn.tables import TableDescription


@dataclass(frozen=True)
class Limits:
    """The limits of a job."""

    epochs: int
    parameters: int
    worker_memory_bytes: int


class Context(NamedTuple):
    """What a request refers to: the table, that of `validation_dataset_id`, and the model of `warm_start_model_id`.

    `warm_start` is the model's `encoders` as the store has them.
    """

    table: TableDescription
    limits: Limits
    validation_table: TableDescription | None = None
    warm_start: Mapping[str, Any] | None = None

    def with_kinds(self, kinds: Mapping[str, str]) -> Context:
        """With columns of these kinds in both tables. Raises `errors.Invalid` with the pointer of each that cannot."""
        other = self.validation_table
        if other is not None:
            other = other.with_kinds({name: kind for name, kind in kinds.items() if name in other.columns})
        return self._replace(table=self.table.with_kinds(kinds), validation_table=other)


class LeftOut(NamedTuple):
    """A column that nothing is learned from, though the request did not say so: `reason` is for programs."""

    column: str
    reason: str
    detail: str


class JobWarning(NamedTuple):
    """What may surprise in a job: `code` is for programs, `pointer` the place in the request that would change it."""

    code: str
    pointer: str | None
    detail: str


class Plan(NamedTuple):
    """A resolved spec, the cost of its training, and what there is to say about it."""

    spec: ResolvedSpec
    cost: dict[str, Any]
    left_out: Sequence[LeftOut] = ()
    warnings: Sequence[JobWarning] = ()
