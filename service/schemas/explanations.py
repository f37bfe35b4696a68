"""Explanations of a model: what its columns contribute to an output, what they matter, and how it depends on one."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SkipValidation

from service.schemas.fields import Cell, Output
from service.schemas.models import Row, RowsRequest

Vector = list[float | None]


def _mean_or_row(value: Any) -> Any:
    """`mean`, or a row, whose cells `learn.explain` checks."""
    if value != "mean" and not isinstance(value, dict | list):
        raise ValueError('send "mean", or a row: an object by column name, or an array in the order of the features')
    return value


class ExplanationRequest(RowsRequest):
    """Rows, the class or target to explain, and what to compare each row with: the mean of each column, or a row.

    Without `class` it is the predicted class of each row. A regression with several targets needs the name of one.
    """

    label: Annotated[Cell, Field(alias="class")] = None
    baseline: Annotated[
        Literal["mean"] | Row | list[Cell],
        SkipValidation,
        BeforeValidator(_mean_or_row),
    ] = "mean"


class Explanation(Output):
    """What each column contributes to a row's output: the attributions add up to output - baseline, up to `error`.

    The output is the logit of the class, or the value of a regression; `class` is null if it has one target. Numbers
    that are not finite are null.
    """

    label: Annotated[str | None, Field(alias="class")]
    baseline: float | None
    output: float | None
    attributions: dict[str, float | None]
    error: float | None


class Explanations(Output):
    """One explanation for each row."""

    explanations: list[Explanation]
