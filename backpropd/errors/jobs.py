"""What ends a job, or takes it from its worker."""

from collections.abc import Iterable

from backpropd.errors.base import BackpropdError


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


class LeaseLost(BackpropdError):
    """The worker does not hold the job's lease any more: its writes are rejected, and it drops the job."""

    code = "lease_lost"


class BlobMissing(BackpropdError):
    """The stored bytes of a dataset are gone; the message names it."""

    code = "blob_missing"


class BlobDamaged(BackpropdError):
    """The stored bytes of a dataset, a model or a checkpoint are not those that were written; the message names it."""

    code = "blob_damaged"
