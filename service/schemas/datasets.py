"""Datasets, their rows, and the bundled samples."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from backpropd.tabular import list_samples
from service.schemas.fields import Input, Int, Name, Output
from service.schemas.paging import Page


class SampleRequest(Input):
    """A bundled sample as a dataset; `noise`, `rows` and `seed` apply to generated samples."""

    sample: Annotated[Name, Field(json_schema_extra={"enum": [sample.name for sample in list_samples()]})]
    name: Name | None = None
    noise: Annotated[float, Field(ge=0, le=1)] | None = None
    rows: Annotated[Int, Field(ge=4, le=1_000_000)] | None = None
    seed: Annotated[Int, Field(ge=0, lt=2**63)] | None = None


class Column(Output):
    """A column and the statistics that fit its kind."""

    model_config = ConfigDict(extra="allow")

    name: str
    kind: Literal["number", "category", "boolean", "text"]
    missing: int


class Dataset(Output):
    id: str
    name: str
    format: str
    rows: int
    bytes: int = Field(validation_alias="size")
    sha256: str
    created_at: datetime
    columns: list[Column]


class Rows(Output):
    data: list[dict[str, Any]]


class Sample(Output):
    model_config = ConfigDict(extra="allow")

    name: str


class Samples(Output):
    data: list[Sample]


class RowsQuery(Input):
    limit: Annotated[int, Field(ge=1, le=1000)] = 20


class UploadQuery(Input):
    name: Name | None = None


class DatasetPage(Page):
    data: list[Dataset]
