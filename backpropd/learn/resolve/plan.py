"""The limits and the context of a request, and the plan that it is resolved to."""

from collections.abc import Mapping
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


class Plan(NamedTuple):
    """A resolved spec, and the cost of its training."""

    spec: ResolvedSpec
    cost: dict[str, Any]
