"""Tables as `learn` takes them: described by their columns, and stored in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.tabular import ColumnInfo, Table, with_kind, with_kinds

Columns: TypeAlias = Mapping[str, ColumnInfo]
"""The columns of a table by name, in their order."""


def columns_from_json(columns: Sequence[Mapping[str, Any]]) -> Columns:
    """From the columns as the store has them."""
    return {column["name"]: ColumnInfo.from_json(column) for column in columns}


class TableDescription(NamedTuple):
    """The columns of a table, and its number of rows: all that resolving a request needs."""

    columns: Columns
    rows: int

    def with_kinds(self, kinds: Mapping[str, str]) -> TableDescription:
        """The table with columns of these kinds. Raises `errors.Invalid` with the pointer of each that cannot be."""
        return self._replace(columns=_with_kinds(self.columns, kinds))


class Source(NamedTuple):
    """A stored table: its columns, its Parquet file, and the columns that are converted to another kind."""

    columns: Columns
    path: Path
    kinds: Mapping[str, str] = {}

    def with_kinds(self, kinds: Mapping[str, str]) -> Source:
        """The table with those of these columns that it has converted to these kinds."""
        known = {name: kind for name, kind in kinds.items() if name in self.columns}
        return Source(_with_kinds(self.columns, known), self.path, known)

    def read(self, names: Sequence[str]) -> Table:
        """These columns, loaded when they are used."""
        return with_kinds(Table.read(self.path, names), self.kinds)


def _with_kinds(columns: Columns, kinds: Mapping[str, str]) -> Columns:
    converted, problems = dict(columns), []
    for name, kind in kinds.items():
        try:
            converted[name] = with_kind(columns[name], kind)
        except KeyError:
            problems.append(Problem(pointer("kinds", name), f"there is no column {name!r}: leave it out"))
        except ValueError as error:
            problems.append(Problem(pointer("kinds", name), f"{name!r} cannot be a {kind}: {error}"))
    if problems:
        raise errors.Invalid.from_problems(problems)
    return converted


def is_boolean(info: ColumnInfo) -> bool:
    """Whether a column is of kind boolean, or holds no numbers but 0 and 1."""
    whole, statistics = info.statistics.get("whole"), info.statistics
    return info.kind == "boolean" or bool(whole and statistics["min"] >= 0 and statistics["max"] <= 1)
