"""A comparison of jobs as typed dictionaries."""

from typing import Any, TypedDict

from backpropd.client.types import Epoch, JobSummary


class ComparedJob(JobSummary):
    """A job with its last epoch, and that of the lowest validation loss, or without validation of the lowest loss."""

    final: Epoch | None
    best: Epoch | None


class Curves(TypedDict):
    """The losses of each job by its id, one for each of `epochs`, None after the job's last epoch."""

    epochs: list[int]
    loss: dict[str, list[float | None]]
    validation_loss: dict[str, list[float | None]]


class Comparison(TypedDict):
    """Jobs beside each other; `differences` has by JSON pointer a value for each of them."""

    jobs: list[ComparedJob]
    differences: dict[str, list[Any]]
    curves: Curves
