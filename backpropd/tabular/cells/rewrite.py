"""A staged table with its strings converted, row group by row group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backpropd.tabular.cells.conversions import Conversion, LossyNumberError
from backpropd.tabular.cells.convert import convert
from backpropd.tabular.cells.missing import Markers, is_infinite
from backpropd.tabular.cells.numbers import mask_of_nulls
from backpropd.tabular.cells.shapes import tidy
from backpropd.tabular.parquet_writer import ParquetWriter
from backpropd.tabular.table import class_label
from backpropd.tabular.warnings import MAX_EXAMPLES

Mask = NDArray[np.bool_]
Update = Callable[[str, pa.Array], None]


@dataclass
class Misfits:
    """Cells that are missing because they do not fit: their number, and the rows (from 0) and values of the first."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    def add(self, first_row: int, cells: pa.StringArray, mask: Mask) -> None:
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
                    columns = {name: table[name].combine_chunks() for name in schema.names}
                    columns.update(self._convert_all(columns, row, update))
                    if not self.lossy:
                        writer.put(pa.record_batch([columns[name] for name in schema.names], schema))
                    row += len(table)

    def _field(self, field: pa.Field) -> pa.Field:
        conversion = self._conversions.get(field.name)
        return pa.field(field.name, conversion.type if conversion else field.type)

    def _convert_all(self, columns: Mapping[str, pa.Array], row: int, update: Update) -> dict[str, pa.Array]:
        """The converted columns of a row group whose first row is `row`; equal conversions are done together."""
        names_of: dict[Conversion, list[str]] = {}
        for name, conversion in self._conversions.items():
            names_of.setdefault(conversion, []).append(name)
        converted = {}
        for conversion, names in names_of.items():
            cells = [as_cells(columns[name]) for name in names]
            for name, each, values, misfits in zip(names, cells, *self._convert(conversion, cells), strict=True):
                if values is None:
                    self.lossy.add(name)
                    continue
                self._note(name, each, values, misfits, row)
                update(name, values)
                converted[name] = values
        return converted

    def _convert(
        self, conversion: Conversion, columns: list[pa.StringArray]
    ) -> tuple[list[pa.Array | None], list[Mask]]:
        """For each column the values, None if a float64 would lose something of one, and the cells that do not fit."""
        try:
            values, misfits = convert(conversion, pa.concat_arrays(columns), self._markers)
        except LossyNumberError:
            if len(columns) == 1:
                return [None], [np.zeros(0, bool)]
            found = [self._convert(conversion, [column]) for column in columns]
            return [each[0][0] for each in found], [each[1][0] for each in found]
        rows = len(columns[0])
        starts = range(0, rows * len(columns), rows) if rows else [0] * len(columns)
        return [values.slice(start, rows) for start in starts], [misfits[start : start + rows] for start in starts]

    def _note(self, name: str, cells: pa.StringArray, values: pa.Array, misfits: Mask, row: int) -> None:
        """Keep which cells are missing because they do not fit, or are infinite."""
        self.misfits[name].add(row, cells, misfits)
        self.filled[name] += len(values) - values.null_count + int(misfits.sum())
        if self._conversions[name].kind == "number" and self._markers.named is None and values.null_count:
            missing = mask_of_nulls(values) & ~mask_of_nulls(cells)
            self.infinite[name].add(row, cells, missing & is_infinite(tidy(cells)))


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


def scan_column(file: pq.ParquetFile, name: str) -> Iterator[pa.StringArray]:
    """The cells of one column of a staged file, block by block."""
    for group in range(file.num_row_groups):
        column = file.read_row_group(group, columns=[name], use_threads=False)[name]
        yield as_cells(column.combine_chunks())
