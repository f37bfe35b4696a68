"""Several jobs beside each other: the request and the answer."""

from typing import Annotated, Any

from pydantic import Field

from backpropd import errors
from service.schemas.fields import Input, Output
from service.schemas.jobs import Epoch, JobSummary

MAX_JOBS = 100


class CompareQuery(Input):
    ids: Annotated[str, Field(max_length=MAX_JOBS * 50, description="2 to 100 ids of jobs, with commas between them")]
    points: Annotated[int, Field(ge=2, le=1000)] = 200

    def job_ids(self) -> list[str]:
        """The ids, without spaces around them.

        Raises `errors.Invalid` for too few or too many ids, and for an empty or repeated id.
        """
        ids = [id.strip() for id in self.ids.split(",")]
        if not 2 <= len(ids) <= MAX_JOBS:
            detail = f"got {len(ids)} ids: name 2 to {MAX_JOBS} jobs, with commas between them"
            raise errors.Invalid(detail, pointer="/ids")
        if "" in ids:
            detail = (
                f"id {ids.index('') + 1} of {len(ids)} is empty: put one comma between two ids, and none at the end"
            )
            raise errors.Invalid(detail, pointer="/ids")
        repeated = next((id for number, id in enumerate(ids) if id in ids[:number]), None)
        if repeated is not None:
            raise errors.Invalid(f"{repeated[:64]!r} appears twice: name each job once", pointer="/ids")
        return ids


class ComparedJob(JobSummary):
    """A job with its last epoch, and the epoch with the lowest validation loss, without validation the lowest loss."""

    computed = (*JobSummary.computed, "final", "best")

    final: Epoch | None
    best: Epoch | None


class Curves(Output):
    """The losses of each job that has any, by its id: one for each of `epochs`, null after the job's last epoch."""

    epochs: list[int]
    loss: dict[str, list[float | None]]
    validation_loss: dict[str, list[float | None]]


class Comparison(Output):
    """The jobs in the order of the request.

    `differences` has by JSON pointer what is not the same in all of them: in the fields of a job that decide its
    result, and in `dataset`, its table; each has a value for each job, null where it has none.
    """

    jobs: list[ComparedJob]
    differences: dict[str, list[Any]]
    curves: Curves
