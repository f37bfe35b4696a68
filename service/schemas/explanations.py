"""Explanations of a model: its columns' contributions to an output, their importance, and partial dependence."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SkipValidation

from service.schemas.fields import Cell, ColumnName, Identifier, Input, Output, Whole
from service.schemas.models import Row, RowsRequest

Vector = list[float | None]


def _mean_or_row(value: Any) -> Any:
    """`mean`, or a row, whose cells `learn.explain` checks."""
    if value != "mean" and not isinstance(value, dict | list):
        raise ValueError(
            'send "mean", or a row: an object by column name, or an array in the order of the input_columns'
        )
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

    `error` bounds their sum, not each of them. The output is the logit of the class, or the value of a regression;
    `class` is null if it has one target. Numbers that are not finite are null.
    """

    label: Annotated[str | None, Field(alias="class")]
    baseline: float | None
    output: float | None
    attributions: dict[str, float | None]
    error: float | None


class Explanations(Output):
    """One explanation for each row."""

    explanations: list[Explanation]


class ImportanceRequest(Input):
    """The dataset, that of the model's job unless another is named, and how often each column is shuffled."""

    dataset_id: Identifier | None = None
    repeats: Annotated[int, Field(ge=1, le=100), Whole] = 5
    seed: Annotated[int, Field(ge=0, lt=2**63), Whole] = 0


class ColumnImportance(Output):
    """By how much the metric drops when a column is shuffled, on average, and the standard deviation over repeats."""

    column: str
    mean: float | None
    deviation: float | None


class Importance(Output):
    """The permutation importance of each column, the largest first; `metric` is accuracy, or r2 of a regression."""

    metric: Literal["accuracy", "r2"]
    importance: list[ColumnImportance]


class PartialDependenceRequest(Input):
    """The feature to vary, the class or target to show, the dataset, and the numbers of values and of curves.

    Without `class` it is the last one: with two classes, the second; of several targets that are true or false, the
    last target. A regression with several targets needs the name of one. Without `dataset_id` it is the dataset of the
    model's job.
    """

    feature: ColumnName
    label: Annotated[Cell, Field(alias="class")] = None
    dataset_id: Identifier | None = None
    points: Annotated[int, Field(ge=2, le=1001), Whole] = 50
    rows: Annotated[int, Field(ge=1, le=1000), Whole] = 50


class PartialDependence(Output):
    """A model's output against one feature: curves[j][i] is that of row j with the feature at values[i].

    `mean` is the mean of the curves. The output is the probability of the class, or the value of a regression; `class`
    is null if it has one target. Numbers that are not finite are null.
    """

    label: Annotated[str | None, Field(alias="class")]
    values: list[float | str]
    mean: Vector
    curves: list[Vector]
