"""The fields that a planned job, a job and a model share: what is learned, from which columns, by which network."""

from typing import Annotated, Any

from service.schemas.features import ShownDerivedFeature
from service.schemas.fields import OneOf, Output

TASKS = ("classification", "regression")


class TaskFields(Output):
    """What is learned."""

    target: str | list[str]
    task: Annotated[str, OneOf(TASKS)]


class NetworkFields(Output):
    """From which columns, and by which network: lists leave it out."""

    features: list[str | ShownDerivedFeature]
    network: dict[str, Any]


def target_to_json(target: list[str]) -> str | list[str]:
    """A single target's name, or the list of several."""
    return target[0] if len(target) == 1 else target
