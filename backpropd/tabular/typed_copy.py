"""A table to predict whose columns have types: copied to an Arrow file as it is, and described by ranges alone."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa

from backpropd.tabular.binary.typed_reader import TypedReader
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.formats import TableReader
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.staging import schema_of, write_blocks
from backpropd.tabular.writer_thread import WriterThread


def holds_values(reader: TableReader, options: ReadOptions) -> bool:
    """Whether a file to predict holds the values themselves, so that no text has to be read as numbers."""
    if not (isinstance(reader, TypedReader) and options.known_kinds) or options.kinds or options.missing is not None:
        return False
    return all(options.known_kinds.get(name) != "number" for name in reader.text_columns)


def copy_table(reader: TableReader, destination: Path, limits: TableLimits) -> tuple[int, list[ColumnInfo]]:
    """Write the file's blocks as they come, a second time if whole numbers turned out to be too large for float64.

    Returns the number of rows and the columns, of which those of numbers have the statistics `min` and `max`. Raises
    `TableTooLarge`, and what the reader raises.
    """
    copied = _copy(reader, destination, limits) or _copy(reader, destination, limits)
    assert copied is not None  # noqa: S101 - the first pass found every text column
    return copied


def _copy(reader: TableReader, destination: Path, limits: TableLimits) -> tuple[int, list[ColumnInfo]] | None:
    schema = schema_of(reader)
    ranges = [_Range(field) for field in schema]
    with (
        pa.OSFile(str(destination), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
        WriterThread(writer.write_batch) as thread,
    ):
        rows = write_blocks(reader, thread.put, schema, ranges, limits)
    return None if rows is None else (rows, [each.info() for each in ranges])


class _Range:
    """The least and the greatest number of a column, and how many values are missing."""

    def __init__(self, field: pa.Field) -> None:
        self._name, self._is_number = field.name, field.type == pa.float64()
        self._missing, self._low, self._high = 0, math.inf, -math.inf

    def update(self, values: pa.Array) -> None:
        """Add a block of values."""
        self._missing += values.null_count
        if self._is_number and values.null_count < len(values):
            x = (values.drop_null() if values.null_count else values).to_numpy()
            self._low, self._high = min(self._low, float(x.min())), max(self._high, float(x.max()))

    def info(self) -> ColumnInfo:
        """The description."""
        if not self._is_number:
            return ColumnInfo(self._name, "text", self._missing, None)
        extremes = {"min": self._low, "max": self._high} if self._low <= self._high else {}
        return ColumnInfo(self._name, "number", self._missing, None, extremes)
