"""Features of a job or an imported model: names of columns, and features that are derived from columns of numbers."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_serializer, model_validator

from service.schemas.fields import MAX_NAMES, ColumnName, Input, Output, StopAtFirst


class DerivedFeature(Input):
    """A number that is computed from columns of numbers: `{"square": "x1"}`, `{"product": ["x1", "x2"]}`.

    `sin` takes radians, and `log` is the natural logarithm, which is missing where the column is not above 0.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    square: ColumnName | None = None
    product: Annotated[list[ColumnName], Field(min_length=2, max_length=2)] | None = None
    sin: ColumnName | None = None
    log: ColumnName | None = None

    @model_validator(mode="after")
    def _has_one_operation(self) -> Self:
        if len(self.to_json()) != 1:
            raise ValueError('name one operation, square, product, sin or log, as in {"square": "x1"}')
        return self

    @model_serializer
    def to_json(self) -> dict[str, Any]:
        """The operation and its columns alone."""
        return {name: value for name, value in vars(self).items() if value is not None}


class ShownDerivedFeature(Output):
    """A number that is computed from columns: one operation and its column, of a product both columns."""

    square: str | None = None
    product: list[str] | None = None
    sin: str | None = None
    log: str | None = None


Features = Annotated[list[ColumnName | DerivedFeature], StopAtFirst(), Field(min_length=1, max_length=MAX_NAMES)]
