"""Models, their predictions, and their weights."""

import csv
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, SkipValidation, field_validator

from backpropd import errors
from backpropd.export.formats import EXPORT_FORMATS
from backpropd.export.weights import WEIGHT_FORMATS
from backpropd.tabular import input_columns
from service.schemas.datasets import ReadFields
from service.schemas.fields import Cell, Input, OneOf, Output
from service.schemas.paging import Page
from service.schemas.resolved_fields import NetworkFields, TaskFields, target_to_json


class ModelSummary(TaskFields):
    """A model in a list."""

    computed: ClassVar[tuple[str, ...]] = ("target",)

    id: str
    job_id: str | None
    name: str | None
    classes: list[str] | None
    parameters: int
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    bytes: int = Field(validation_alias="size")
    sha256: str
    created_at: datetime

    @classmethod
    def of(cls, row: Any) -> dict[str, Any]:
        """A row of `models`."""
        return cls.render(row, {"target": target_to_json(row.target)})


class Model(ModelSummary, NetworkFields):
    """The model that a succeeded job made, and the report of the end of its training; or one that was imported.

    An imported model has no job and no report.
    The report is of the validation set if there is one, else of the training set: a confusion matrix, ROC and
    precision-recall points and calibration bins, or for regression the residuals. Models from before there were
    reports have none.
    """

    computed: ClassVar[tuple[str, ...]] = (*ModelSummary.computed, "input_columns")

    input_columns: list[str] = Field(description="the columns that rows have: the order of the values of an array")
    report: dict[str, Any] | None

    @classmethod
    def of(cls, row: Any) -> dict[str, Any]:
        """A row of `models`."""
        return super().of(row) | {"input_columns": input_columns(row.features)}


Row = dict[str, Cell]


def filled_list(value: Any) -> list[Any]:
    """A list that has items, which are checked where they are used: there are too many of them for pydantic."""
    if not isinstance(value, list) or not value:
        raise ValueError("send a JSON array with at least 1 item here")
    return value


class RowsRequest(Input):
    """Rows as objects by column name, or as arrays in the order of the model's input_columns."""

    rows: Annotated[list[Row] | list[list[Cell]], SkipValidation, BeforeValidator(filled_list)]

    def check_rows(self, max_rows: int) -> None:
        """Raise `errors.Invalid` for more rows than `max_rows`."""
        if len(self.rows) > max_rows:
            raise errors.Invalid(
                f"the request has {len(self.rows)} rows and the limit is {max_rows}: send fewer", pointer="/rows"
            )


class NamedRowsRequest(Input):
    """Rows as arrays in the order of `columns`, which may be any."""

    columns: list[str]
    rows: Annotated[list[list[Cell]], Field(min_length=1)]


class DatasetRequest(Input):
    """The rows of a stored dataset."""

    dataset_id: str


class PredictionRequest(
    RootModel[RowsRequest | NamedRowsRequest | DatasetRequest | list[Row] | list[list[Cell]] | Row]
):
    """Rows in one of several forms, the last of which is one row; or a table in a format of uploads."""


def names_in(line: str) -> list[str]:
    """The names in a line of CSV. Raises `csv.Error`."""
    return next(csv.reader([line]), [])


class PredictionQuery(ReadFields):
    keep: str = Field("", description="columns of the input to take along, as CSV: `id,name`; `*` takes all")

    @field_validator("keep")
    @classmethod
    def _is_csv(cls, keep: str) -> str:
        try:
            names_in(keep)
        except csv.Error as error:
            raise ValueError("this is not a line of CSV: put a name with a line break in double quotes") from error
        return keep

    def names(self) -> list[str]:
        """The columns to keep."""
        return names_in(self.keep)

    def reject_options(self) -> None:
        """Raise `errors.Invalid` for options of reading, which rows of JSON and stored datasets do not take."""
        if given := sorted(self.model_fields_set - {"keep"}):
            detail = "this option is for a table in the body: leave it out"
            raise errors.Invalid.from_problems([errors.Problem(errors.pointer(name), detail) for name in given])


class Prediction(Output):
    """`label` (of several targets `labels`) and `probabilities` for classification, `value` for regression.

    Beside them are the columns that were kept.
    """

    model_config = ConfigDict(extra="allow")

    label: str | None = None
    labels: dict[str, bool] | None = None
    probabilities: dict[str, float] | None = None
    value: float | dict[str, float | None] | None = None


class PredictionWarning(Output):
    """What was ignored, or differs from what training saw: in how many rows, and the first ten of these, from 0."""

    code: str
    column: str | None
    count: int
    rows: list[int]
    detail: str


class Predictions(Output):
    predictions: list[Prediction]
    warnings: list[PredictionWarning]


class ExportQuery(Input):
    format: Annotated[str, OneOf(tuple(EXPORT_FORMATS))]


class WeightsQuery(Input):
    format: Annotated[str, OneOf(tuple(WEIGHT_FORMATS))] = "safetensors"


class ModelPage(Page):
    data: list[ModelSummary]
