"""Tables as `learn` sees them: described by their columns, and stored in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from backpropd.tabular import ColumnInfo


class TableDescription(NamedTuple):
    """The columns of a table by name, and its number of rows: all that resolving a request needs."""

    columns: Mapping[str, ColumnInfo]
    rows: int

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]], rows: int) -> TableDescription:
        """From the columns as the store has them."""
        return cls(columns_by_name(columns), rows)


class Source(NamedTuple):
    """A stored table: its columns by name, and its Parquet file."""

    columns: Mapping[str, ColumnInfo]
    path: Path

    @classmethod
    def from_json(cls, columns: Sequence[Mapping[str, Any]], path: Path) -> Source:
        """From the columns as the store has them."""
        return cls(columns_by_name(columns), path)


def columns_by_name(columns: Sequence[Mapping[str, Any]]) -> dict[str, ColumnInfo]:
    """The columns that the store describes, in their order."""
    return {column["name"]: ColumnInfo.from_json(column) for column in columns}


def is_boolean(info: ColumnInfo) -> bool:
    """Whether a column is of kind boolean, or holds no numbers but 0 and 1."""
    whole, statistics = info.statistics.get("whole"), info.statistics
    return info.kind == "boolean" or bool(whole and statistics["min"] >= 0 and statistics["max"] <= 1)
