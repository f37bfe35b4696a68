"""A staged table with its strings converted, row group by row group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backpropd.tabular.cells.conversions import Conversion, LossyNumberError
from backpropd.tabular.cells.convert import convert
from backpropd.tabular.cells.missing import Markers, is_infinite
from backpropd.tabular.cells.shapes import tidy
from backpropd.tabular.parquet_writer import ParquetWriter
from backpropd.tabular.table import class_label
from backpropd.tabular.warnings import MAX_EXAMPLES

Update = Callable[[str, pa.Array], None]


@dataclass
class Misfits:
    """Cells that are missing because they do not fit: their number, and the rows (from 0) and values of the first."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    def add(self, first_row: int, cells: pa.StringArray, mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
        """Count the cells of a block whose first row is `first_row`."""
        rows = np.flatnonzero(mask)
        self.count += len(rows)
        for row in rows[: MAX_EXAMPLES - len(self.examples)].tolist():
            self.examples.append((first_row + row, cells[row].as_py()))


class Rewriter:
    """Converts the columns of a staged Parquet file; `misfits` and `infinite` are those found, by column.

    `filled` counts the cells of a column that are neither empty nor markers.
    """

    def __init__(self, source: Path, conversions: Mapping[str, Conversion], markers: Markers) -> None:
        self._source, self._conversions, self._markers = source, conversions, markers
        self.misfits = {name: Misfits() for name in conversions}
        self.infinite = {name: Misfits() for name in conversions}
        self.filled = dict.fromkeys(conversions, 0)
        self.lossy: set[str] = set()

    def write(self, destination: Path, update: Update) -> None:
        """Write the converted table, and pass every converted block to `update`.

        Where `lossy` names columns afterwards, numbers of theirs do not fit a float64, and the table is incomplete.
        """
        with pq.ParquetFile(self._source) as file:
            fields = [self._field(field) for field in file.schema_arrow]
            schema, row = pa.schema(fields), 0
            with ParquetWriter(destination, schema) as writer:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, use_threads=False).combine_chunks()
                    columns = [self._column(field.name, table[field.name], row, update) for field in fields]
                    if not self.lossy:
                        writer.put(pa.record_batch(columns, schema))
                    row += len(table)

    def _field(self, field: pa.Field) -> pa.Field:
        conversion = self._conversions.get(field.name)
        return pa.field(field.name, conversion.type if conversion else field.type)

    def _column(self, name: str, column: pa.ChunkedArray, row: int, update: Update) -> pa.Array:
        values = column.combine_chunks()
        if (conversion := self._conversions.get(name)) is None:
            return values
        cells = as_cells(values)
        try:
            converted, misfits = convert(conversion, cells, self._markers)
        except LossyNumberError:
            self.lossy.add(name)
            return values
        self.misfits[name].add(row, cells, misfits)
        self.filled[name] += len(converted) - converted.null_count + int(misfits.sum())
        if conversion.kind == "number" and self._markers.named is None:
            self.infinite[name].add(row, cells, is_infinite(tidy(cells)) & cells.is_valid().to_numpy(False))
        update(name, converted)
        return converted


def as_cells(values: pa.Array) -> pa.StringArray:
    """Values of any column as the strings that a text file would hold."""
    if values.type == pa.string():
        return values
    encoded = values.dictionary_encode()
    if values.type == pa.float64():
        labels = [class_label(value) for value in encoded.dictionary.to_pylist()]
    else:
        labels = [value.isoformat() for value in encoded.dictionary.to_pylist()]
    return pa.array(labels, pa.string()).take(encoded.indices)


def scan_column(path: Path, name: str) -> Iterator[pa.StringArray]:
    """The cells of one column of a staged file, block by block."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            column = file.read_row_group(group, columns=[name], use_threads=False).combine_chunks()[name]
            yield as_cells(column.chunk(0))
