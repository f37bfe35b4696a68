"""Models and their predictions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, Json

from service.schemas.fields import Cell, ColumnName, Input, Output
from service.schemas.pages import Page


class Model(Output):
    """What a succeeded job made."""

    id: str
    job_id: str
    name: str | None
    task: Literal["classification", "regression"]
    network: dict[str, Any]
    features: list[str]
    target: str | list[str]
    classes: list[str] | None
    parameters: int
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    bytes: int
    sha256: str
    created_at: datetime


class ModelWithReport(Model):
    """A model, and the report of the end of its training.

    The report is of the validation part if there is one, else of the training part: a confusion matrix, ROC and
    precision-recall points and calibration bins, or for regression the residuals.
    """

    report: dict[str, Any] | None


class PredictionRequest(Input):
    """Rows as objects by column name, or as arrays in the order of the model's features."""

    rows: Annotated[list[dict[str, Cell]], Field(min_length=1)] | Annotated[list[list[Cell]], Field(min_length=1)]


class Prediction(Output):
    """`label` (by several targets `labels`) and `probabilities` for classification, `value` for regression."""

    label: str | None = None
    labels: dict[str, bool] | None = None
    probabilities: dict[str, float] | None = None
    value: float | dict[str, float] | None = None


class Predictions(Output):
    predictions: list[Prediction]


class CurveOutput(Output):
    """One output, of this class or target, for each x; null where it is not finite."""

    label: str | None = None
    name: str | None = None
    h: list[float | None]


class Curve(Output):
    """A model's outputs against one feature: `x` are numbers, or the levels of a category."""

    feature: str
    x: list[float | str]
    outputs: list[CurveOutput]
    held: dict[str, Cell]


class WeightsQuery(Input):
    format: Literal["safetensors", "npz", "json"] = "safetensors"


class CurveQuery(Input):
    feature: ColumnName | None = None
    points: Annotated[int, Field(ge=2, le=1001)] = 101
    start: Annotated[float | None, Field(ge=-1e300, le=1e300, alias="from")] = None
    stop: Annotated[float | None, Field(ge=-1e300, le=1e300, alias="to")] = None
    hold: Json[dict[str, Cell]] = Field(default="{}", validate_default=True)


class ModelPage(Page):
    data: list[Model]
