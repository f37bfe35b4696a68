"""Snapshots of a job in training, and the request for a fork that continues from one."""

from typing import Annotated, Any

from pydantic import Field

from service.schemas.fields import Input, Metadata, Name, Output, Whole
from service.schemas.training import Training


class Snapshot(Output):
    """The parameters after an epoch, by name, as nested lists; epoch 0 is the start."""

    epoch: int
    parameters: dict[str, list[Any]]


class Snapshots(Output):
    data: list[Snapshot]
    next_after: int | None


class SnapshotsQuery(Input):
    """Of which snapshots: those after the epoch `after`, from the first by default."""

    after: Annotated[int, Field(ge=-1, lt=2**31)] = -1
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class ForkRequest(Input):
    """Continue from the snapshot of an epoch; fields of `training` take the place of the parent's, each as a whole.

    Without a `name` or `metadata` the fork has those of its parent.
    """

    epoch: Annotated[int, Field(ge=0, lt=2**31), Whole]
    training: Training = Training()
    name: Name | None = None
    metadata: Metadata | None = None
