"""The fields that many schemas share, and the two kinds of schema: what comes in, what goes out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import CoreSchema, core_schema


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 1.0 is a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _lossless(value: dict[str, Any]) -> dict[str, Any]:
    if len(str(value)) > 16_384:
        raise ValueError("metadata may have 16,384 characters at most: keep the rest elsewhere")
    return value


def _moment(value: Any) -> Any:
    """A text as RFC 3339 has it, with a zone."""
    return datetime.fromisoformat(value) if isinstance(value, str) and RFC_3339.fullmatch(value) else value


RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
FAR = datetime(9000, 1, 1, tzinfo=UTC)  # before the last year that a clock of ours can show

# No control characters, nor what turns the direction of the letters that follow: a name shall be what it looks like.
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+$"

Int = Annotated[int, BeforeValidator(_whole)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROLS)]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Count = Annotated[Int, Field(ge=1, lt=2**31)]
Moment = Annotated[AwareDatetime, Field(lt=FAR), BeforeValidator(_moment)]
Metadata = Annotated[dict[str, Any], AfterValidator(_lossless)]


class Input(BaseModel):
    """What comes in: unknown fields are refused, types are taken at their word."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Output(BaseModel):
    """A response. Fields may be added in later versions."""

    model_config = ConfigDict(populate_by_name=True)

    @classmethod
    def render(cls, row: Any, **computed: Any) -> dict[str, Any]:
        """This schema's fields as JSON values: `computed` ones, and the others from the row's attributes.

        An attribute is called like the field, or by the field's `validation_alias`. Nothing is validated here, which
        would take several times as long: the tests validate every response.
        """
        return {
            name: computed[name] if name in computed else getattr(row, attribute)
            for name, attribute in _attributes(cls)
        }


@cache
def _attributes(schema: type[Output]) -> list[tuple[str, str]]:
    return [(name, str(field.validation_alias or name)) for name, field in schema.model_fields.items()]


@dataclass(frozen=True)
class OneOf:
    """Annotates a text that is one of these names: to pydantic the same as a `Literal` of them."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """The core schema of the `Literal`."""
        return core_schema.literal_schema(list(self.names))


Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-z_]+$", max_length=64)]


Cell = str | float | bool | None
