"""Tables as `learn` takes them: described by their columns, and stored in files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from backpropd.tabular import ColumnInfo

Columns: TypeAlias = Mapping[str, ColumnInfo]
"""The columns of a table by name, in their order."""


def columns_from_json(columns: Sequence[Mapping[str, Any]]) -> Columns:
    """From the columns as the store has them."""
    return {column["name"]: ColumnInfo.from_json(column) for column in columns}


class TableDescription(NamedTuple):
    """The columns of a table, and its number of rows: all that resolving a request needs."""

    columns: Columns
    rows: int


class Source(NamedTuple):
    """A stored table: its columns, and its Parquet file."""

    columns: Columns
    path: Path


def is_boolean(info: ColumnInfo) -> bool:
    """Whether a column is of kind boolean, or holds no numbers but 0 and 1."""
    whole, statistics = info.statistics.get("whole"), info.statistics
    return info.kind == "boolean" or bool(whole and statistics["min"] >= 0 and statistics["max"] <= 1)
