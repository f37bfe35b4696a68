"""Rows of a stored table as columns of cells, read block by block."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backpropd.errors import Invalid, Problem
from backpropd.tabular.binary.arrow_ipc import FILE_SIGNATURE
from backpropd.tabular.column_names import respelled
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.inputs.conversion import Cells
from backpropd.tabular.inputs.input_rows import missing_columns
from backpropd.tabular.warnings import TableWarning


class TableRows:
    """The `InputRows` of a file with `rows` rows that `ingest` wrote and described by `infos`.

    `positional` are the names of its columns in their order, instead of those in the file. A name that is another
    spelling of one of the `known` is this one. Raises `errors.Invalid` unless there are as many columns as names.
    """

    def __init__(
        self,
        path: Path,
        rows: int,
        infos: Sequence[ColumnInfo],
        positional: Sequence[str] | None = None,
        read_warnings: Sequence[TableWarning] = (),
        known: Collection[str] = (),
    ) -> None:
        if positional is not None and len(positional) != len(infos):
            raise Invalid(
                f"the table has {len(infos)} columns without names, and the model takes {len(positional)}: "
                f"{', '.join(positional[:20])}"
            )
        self._path = path
        names = positional or [each.name for each in infos]
        other = respelled(names, known)
        self._index = {other.get(name, name): index for index, name in enumerate(names)}
        self._infos = infos
        self.read_warnings = read_warnings
        self.rows, self.is_typed_by_hand = rows, False

    def names(self) -> list[str]:
        """The names of all columns."""
        return list(self._index)

    def described(self, name: str) -> ColumnInfo | None:
        """The description of a column's cells."""
        return self._infos[self._index[name]]

    def rows_with(self, names: Sequence[str]) -> dict[str, Sequence[int]]:
        """For each of these columns the rows that have it: all of them."""
        return dict.fromkeys(names, range(self.rows))

    def require(self, names: Sequence[str]) -> None:
        """Raise `errors.Invalid`, which names every one of these columns that the table lacks."""
        if missing := [name for name in names if name not in self._index]:
            raise Invalid(missing_columns(missing, f"the table has: {', '.join(self.names()[:20])}"))

    def numbers(self, _: Sequence[str]) -> None:
        """They are read column by column."""

    def blocks(self, names: Sequence[str], rows: int) -> Iterator[dict[str, Cells]]:
        """The cells of these columns, in blocks of `rows` rows; the last one may have fewer."""
        stored = {name: self._infos[self._index[name]].name for name in names}
        for batch in _regular(_batches(self._path, [*stored.values()], rows), rows):
            yield {name: Cells(_plain(batch.column(column))) for name, column in stored.items()}

    def problem(self, row: int, name: str, detail: str) -> Problem:
        """What is wrong with a cell."""
        return Problem("", f"row {row} (from 0) of the column {name!r}: {detail}")


def _plain(values: pa.Array) -> pa.Array:
    return pc.cast(values, pa.string()) if pa.types.is_dictionary(values.type) else values


def _regular(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `rows`, wherever the file divides them; the last one may have fewer."""
    waiting, count = list[pa.RecordBatch](), 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            waiting.append(batch.slice(start, rows - count))
            start, count = start + waiting[-1].num_rows, count + waiting[-1].num_rows
            if count == rows:
                yield _joined(waiting)
                waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """The batches of these columns of a Parquet or an Arrow file, of at most `rows` rows."""
    with pa.OSFile(str(path)) as file:
        if file.read(len(FILE_SIGNATURE)) != FILE_SIGNATURE:
            yield from pq.ParquetFile(file).iter_batches(rows, columns=columns, use_threads=False)
            return
        fields = [pa.ipc.open_file(file).schema.get_field_index(name) for name in columns]
        reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False))
        for batch in (reader.get_batch(n) for n in range(reader.num_record_batches)):
            yield from (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))
