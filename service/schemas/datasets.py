"""Datasets, how they are to be read, their rows, and the bundled samples."""

import json
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from backpropd import errors
from backpropd.tabular import IngestedTable, ReadOptions, codec_of, list_samples
from service.schemas.fields import MAX_NAMES, ColumnName, Input, Name, Output, StopAtFirst, Whole
from service.schemas.paging import Page


def _parse_json(value: Any) -> Any:
    """The value of a list or object in a query or a form, which is JSON in a string."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this must be JSON: {error}") from error


def _check_encoding(name: str) -> str:
    """A text encoding that Python knows, by any of its names."""
    try:
        codec_of(name)
    except errors.NotATable as error:
        raise ValueError(error.detail) from error
    return name


def _check_character(value: str) -> str:
    if value in ("\n", "\r", "\0"):
        raise ValueError("a line break cannot stand here: give another character")
    return value


Kind = Literal["number", "category", "boolean", "date", "text"]
Kinds = Annotated[dict[ColumnName, Kind], StopAtFirst(), Field(max_length=MAX_NAMES)]
Character = Annotated[str, StringConstraints(min_length=1, max_length=1), AfterValidator(_check_character)]
CharacterOrNone = Annotated[str, StringConstraints(max_length=1), AfterValidator(_check_character)]


class ReadFields(Input):
    """Corrections of what the reader guesses; what is left out is guessed."""

    encoding: Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_check_encoding)] | None = (
        None
    )
    delimiter: Character | None = None
    quote: CharacterOrNone | None = Field(None, description="empty: no quotes")
    decimal: Literal[".", ","] | None = None
    thousands: CharacterOrNone | None = Field(None, description="empty: none")
    header: bool | None = None
    skip_lines: Annotated[int, Field(ge=0, le=1_000_000), Whole] | None = None
    comment: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None = None
    missing: Annotated[list[str], StopAtFirst(), Field(max_length=1000), BeforeValidator(_parse_json)] | None = Field(
        None, description="the markers of a missing value"
    )
    kinds: Annotated[Kinds, BeforeValidator(_parse_json)] = Field({}, description="by column")
    sheet: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    strict: bool = Field(False, description="a row that does not fit refuses the file")

    @field_validator("quote")
    @classmethod
    def _differs_from_delimiter(cls, quote: str | None, given: ValidationInfo) -> str | None:
        if quote and quote == given.data.get("delimiter"):
            raise ValueError("this is the delimiter, too: they must differ")
        return quote

    @field_validator("thousands")
    @classmethod
    def _differs_from_decimal(cls, thousands: str | None, given: ValidationInfo) -> str | None:
        if thousands and thousands == given.data.get("decimal"):
            raise ValueError("this is the decimal mark, too: they must differ")
        return thousands

    def over(self, others: "ReadFields") -> "ReadFields":
        """These fields, and those of `others` that are not stated here."""
        given = {**others.model_dump(exclude_unset=True), **self.model_dump(exclude_unset=True)}
        return ReadFields.model_validate({name: given[name] for name in given if name in ReadFields.model_fields})

    def to_options(self) -> ReadOptions:
        """The options as `tabular` takes them."""
        fields = {name: getattr(self, name) for name in ReadFields.model_fields}
        return ReadOptions.from_json(fields)


class SampleRequest(ReadFields):
    """A bundled sample as a dataset; `noise`, `rows` and `seed` apply to generated samples."""

    sample: Annotated[Name, Field(json_schema_extra={"enum": [sample.name for sample in list_samples()]})]
    name: Name | None = None
    noise: Annotated[float, Field(ge=0, le=1)] | None = None
    rows: Annotated[int, Field(ge=4, le=1_000_000), Whole] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63), Whole] | None = None


class NumericHistogram(Output):
    """How many values of a column of numbers or dates are between neighbouring edges: at most 32 bins."""

    edges: list[float] | list[str] = Field(description="one more than counts; each bin holds its lower edge")
    counts: list[int]


class LevelHistogram(Output):
    """How many values of a category or a boolean are each of the most frequent levels, and how many are another one."""

    levels: list[str] = Field(max_length=32)
    counts: list[int]
    other: int


class Column(Output):
    """A column and the statistics that fit its kind."""

    model_config = ConfigDict(extra="allow")

    name: str
    kind: Kind
    missing: int
    histogram: NumericHistogram | LevelHistogram | None = Field(
        None, description="absent for text, for columns without values, and for datasets of older versions"
    )


class Dialect(Output):
    """What was recognized in a text file."""

    encoding: str
    delimiter: str
    quote: str | None
    decimal: str
    thousands: str | None
    header: bool
    skipped_lines: int


class Example(Output):
    """A value in the file, and its line; in a format without lines, the number of its row."""

    line: int
    value: str


class TableWarning(Output):
    """What was read otherwise than it stands in the file, or is suspicious; of a column or of the whole table."""

    code: str
    column: str | None
    count: int
    detail: str
    examples: list[Example]


class DatasetSummary(Output):
    """A dataset in a list; `width` is the number of its columns."""

    id: str
    name: str
    format: str
    rows: int
    width: int
    bytes: int = Field(validation_alias="size")
    sha256: str
    created_at: datetime


class Dataset(DatasetSummary):
    """A dataset with its columns, and what there is to say about how it was read."""

    computed: ClassVar[tuple[str, ...]] = ("warnings",)

    dialect: Dialect | None
    columns: list[Column]
    warnings: list[TableWarning]

    @classmethod
    def of(cls, row: Any) -> dict[str, Any]:
        """A row of `datasets`."""
        return cls.render(row, {"warnings": row.warnings or []})


class DatasetPreview(Output):
    """What the dataset of a file would be; `rows` is not known, for only the beginning of a text file is read."""

    name: str
    format: str
    rows: None
    width: int
    dialect: Dialect | None
    columns: list[Column]
    warnings: list[TableWarning]
    preview: list[dict[str, Any]] = Field(description="the first rows")

    @classmethod
    def of(cls, name: str, table: IngestedTable, preview: list[dict[str, Any]]) -> dict[str, Any]:
        """A table that was read for a look."""
        return {
            "name": name,
            "format": table.format,
            "rows": None,
            "width": len(table.columns),
            "dialect": table.dialect,
            "columns": [column.to_json() for column in table.columns],
            "warnings": [warning.to_json() for warning in table.warnings],
            "preview": preview,
        }


class Rows(Output):
    data: list[dict[str, Any]]


class Sample(Output):
    model_config = ConfigDict(extra="allow")

    name: str


class Samples(Output):
    data: list[Sample]


class RowsQuery(Input):
    limit: Annotated[int, Field(ge=1, le=1000)] = 20


class UploadQuery(ReadFields):
    name: Name | None = None


class DatasetPage(Page):
    data: list[DatasetSummary]
