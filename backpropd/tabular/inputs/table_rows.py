"""Rows of a stored table as columns of cells, read block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backpropd.errors import Invalid, Problem
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.inputs.conversion import Cells
from backpropd.tabular.inputs.input_rows import missing_columns
from backpropd.tabular.warnings import TableWarning


class TableRows:
    """The `InputRows` of a Parquet file that `ingest` wrote and described by `infos`.

    `positional` are the names of its columns in their order, instead of those in the file. Raises `errors.Invalid`
    unless there are as many columns as names.
    """

    def __init__(
        self,
        path: Path,
        infos: Sequence[ColumnInfo],
        positional: Sequence[str] | None = None,
        read_warnings: Sequence[TableWarning] = (),
    ) -> None:
        self._file = pq.ParquetFile(pa.OSFile(str(path)))
        stored = self._file.schema_arrow.names
        if positional is not None and len(positional) != len(stored):
            raise Invalid(
                f"the table has {len(stored)} columns without names, and the model takes {len(positional)}: "
                f"{', '.join(positional[:20])}"
            )
        self._stored = dict(zip(positional or stored, stored, strict=True))
        self._infos: dict[str, ColumnInfo] = dict(zip(self._stored, infos, strict=True))
        self.read_warnings = read_warnings
        self.rows, self.is_typed_by_hand = self._file.metadata.num_rows, False

    def names(self) -> list[str]:
        """The names of all columns."""
        return list(self._stored)

    def described(self, name: str) -> ColumnInfo | None:
        """The description of a column's cells."""
        return self._infos[name]

    def rows_with(self, name: str) -> Sequence[int]:
        """The rows that have a column: all of them."""
        return range(self.rows)

    def require(self, names: Sequence[str]) -> None:
        """Raise `errors.Invalid`, which names every one of these columns that the table lacks."""
        if missing := [name for name in names if name not in self._stored]:
            raise Invalid(missing_columns(missing, f"the table has: {', '.join(self.names()[:20])}"))

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """The cells of these columns, in blocks of at most `rows` rows."""
        stored = [self._stored[name] for name in names]
        for batch in self._file.iter_batches(rows, columns=stored, use_threads=False):
            yield {name: Cells(_plain(batch.column(self._stored[name]))) for name in names}

    def problem(self, row: int, name: str, detail: str) -> Problem:
        """What is wrong with a cell."""
        return Problem("", f"row {row} (from 0) of the column {name!r}: {detail}")


def _plain(values: pa.Array) -> pa.Array:
    return pc.cast(values, pa.string()) if pa.types.is_dictionary(values.type) else values
