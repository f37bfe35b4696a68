"""The types of fields that several schemas share, and the base classes of requests and of responses."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, islice
from operator import attrgetter
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema


def _whole(value: Any) -> Any:
    """JSON has one type of number: 1.0 is a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _limit_size(value: dict[str, Any]) -> dict[str, Any]:
    pieces = json.JSONEncoder(ensure_ascii=False).iterencode(value)
    if any(length > MAX_METADATA for length in accumulate(map(len, pieces))):
        raise ValueError(f"metadata may have at most {MAX_METADATA:,} characters: shorten it")
    return value


def _parse_timestamp(value: Any) -> Any:
    """A text in the format of RFC 3339, with a time zone."""
    return datetime.fromisoformat(value) if isinstance(value, str) and RFC_3339.fullmatch(value) else value


MAX_METADATA = 16_384  # characters
MAX_NAMES = 100_000  # columns that a list in a request may name: more than the default limit of a table's columns
MAX_UNKNOWN = 20  # unknown fields of an object that a request is told of
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)  # datetime ends with the year 9999

# No control characters, and none that change the direction of text: a name must be what it looks like.
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+$"

Whole = BeforeValidator(_whole)  # last in an annotation of int: before its bounds, they would not be in JSON Schema
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROLS)]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Count = Annotated[int, Field(ge=1, lt=2**31), Whole]
Timestamp = Annotated[AwareDatetime, Field(lt=LATEST), BeforeValidator(_parse_timestamp)]
Metadata = Annotated[dict[str, Any], AfterValidator(_limit_size)]


class Input(BaseModel):
    """A request: unknown fields are errors, and types are not converted."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _keep_few_unknown(cls, value: Any) -> Any:
        """The fields, and the first of those that are unknown: pydantic would make an error for each of a million."""
        if not isinstance(value, dict) or len(value) <= len(cls.model_fields) + MAX_UNKNOWN:
            return value
        names = cls.model_fields.keys() | {field.alias for field in cls.model_fields.values()}
        unknown = islice((name for name in value if name not in names), MAX_UNKNOWN)
        return {name: value[name] for name in (*(name for name in names if name in value), *unknown)}


@dataclass(frozen=True)
class StopAtFirst:
    """Annotation of a list or an object in a request whose first wrong item ends its validation."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema that fails fast."""
        return {**handler(source), "fail_fast": True}


class Output(BaseModel):
    """A response. Fields may be added in later versions."""

    model_config = ConfigDict(populate_by_name=True)

    computed: ClassVar[tuple[str, ...]] = ()  # the fields that are not attributes of a row
    readers: ClassVar[dict[str, Callable[[Any], Any]]]  # by name, what reads each of the others from a row

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Prepare the readers of a row, the one of its id first."""
        fields = sorted(cls.model_fields.items(), key=lambda named: named[0] != "id")
        cls.readers = {name: _reader(name, field) for name, field in fields if name not in cls.computed}

    @classmethod
    def render(cls, row: Any, computed: dict[str, Any] | None = None) -> dict[str, Any]:
        """The fields as JSON values: the computed ones, and the others from the row's attributes.

        Nothing is validated here, which would take several times as long: the tests validate every response.
        """
        return {name: read(row) for name, read in cls.readers.items()} | (computed or {})

    @classmethod
    def render_all(cls, rows: Iterable[Any]) -> list[dict[str, Any]]:
        """Render each row, without computed fields."""
        return [cls.render(row) for row in rows]


def _reader(name: str, field: FieldInfo) -> Callable[[Any], Any]:
    """Reads the attribute with the field's name or `validation_alias`; an object is rendered from the same row."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Output):
        return kind.render
    return attrgetter(str(field.validation_alias or name))


@dataclass(frozen=True)
class OneOf:
    """Annotation of a string that is one of these names: for pydantic the same as a `Literal` of them."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """The core schema of the `Literal`."""
        return core_schema.literal_schema([str(name) for name in self.names])


ColumnNames = Annotated[list[ColumnName], StopAtFirst(), Field(min_length=1, max_length=MAX_NAMES)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-z_]+$", max_length=64)]
Cell = str | float | bool | None
