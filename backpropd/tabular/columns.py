"""What is known about a table's columns: kind, missing values and statistics, as the API shows them.

A column's kind follows from all of its values, by one rule (what a field says is in `values.py`):

- `number`: every value is a number; a column without a single value is one too (`missing` then equals the rows);
- `boolean`: every value is a yes or no;
- `category`: anything else, with few different values: at most 20 or a tenth of the values there are, never more
  than 1000, and none longer than 200 characters;
- `text`: the rest (names, identifiers, prose). It is kept and shown, and is no feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["number", "category", "boolean", "text"]

MAX_LEVELS = 1000
FEW_LEVELS = 20
VALUES_PER_LEVEL = 10
LONGEST_LEVEL = 200
MAX_LISTED_NUMBERS = 50


def is_category(values: int, distinct: int | None, longest: int) -> bool:
    """Whether words are levels of a category, by the rule above; `distinct` is None beyond `MAX_LEVELS`."""
    if distinct is None or longest > LONGEST_LEVEL:
        return False
    return distinct <= max(FEW_LEVELS, values // VALUES_PER_LEVEL)


@dataclass(frozen=True)
class Level:
    """One of a column's different values, and in how many rows it stands."""

    value: float | int | bool | str
    count: int


@dataclass(frozen=True)
class ColumnInfo:
    """A column: its name, its kind, how many rows miss a value, and the statistics that fit the kind.

    `distinct` counts the different values; None means more than 1000. A number that float64 cannot hold (the mean of
    values near 1e308) is None. What does not fit the kind is None, and is left out of the JSON.
    """

    name: str
    kind: Kind
    missing: int
    distinct: int | None
    # number: of the values that are there; `std` is the population's; `whole` means integers up to 2**53
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    whole: bool | None = None
    # number, with at most 50 different values: all of them, in order
    values: tuple[Level, ...] | None = None
    # category and boolean: all of them, the most frequent first
    levels: tuple[Level, ...] | None = None
    # text: in characters
    shortest: int | None = None
    longest: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: `{"name", "kind", "missing", "distinct", …}` with the statistics of the kind."""
        listed = {"values": _levels_to_json(self.values), "levels": _levels_to_json(self.levels)}
        everything = {field.name: getattr(self, field.name) for field in fields(self)} | listed
        optional = _STATISTICS[self.kind]
        return {
            key: value
            for key, value in everything.items()
            if key in _ALWAYS or (key in optional and not (key == "values" and value is None))
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ColumnInfo:
        """The column that `to_json` described."""
        listed = {key: _levels_from_json(document.get(key)) for key in ("values", "levels")}
        return cls(**{**document, **listed})


@dataclass(frozen=True)
class TableInfo:
    """A table: the format it came in, its rows, its columns."""

    format: Literal["csv", "tsv"]
    rows: int
    columns: tuple[ColumnInfo, ...]

    def to_json(self) -> dict[str, Any]:
        """`{"format", "rows", "columns": [...]}`."""
        columns = [column.to_json() for column in self.columns]
        return {"format": self.format, "rows": self.rows, "columns": columns}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> TableInfo:
        """The table that `to_json` described."""
        columns = tuple(ColumnInfo.from_json(column) for column in document["columns"])
        return cls(document["format"], document["rows"], columns)


_ALWAYS = ("name", "kind", "missing", "distinct")
_STATISTICS: dict[Kind, tuple[str, ...]] = {
    "number": ("min", "max", "mean", "std", "whole", "values"),
    "category": ("levels",),
    "boolean": ("levels",),
    "text": ("shortest", "longest"),
}


def _levels_to_json(levels: Sequence[Level] | None) -> list[dict[str, Any]] | None:
    return None if levels is None else [{"value": level.value, "count": level.count} for level in levels]


def _levels_from_json(levels: Sequence[Mapping[str, Any]] | None) -> tuple[Level, ...] | None:
    return None if levels is None else tuple(Level(level["value"], level["count"]) for level in levels)
