"""Typed columns in memory, read from the Parquet file that `ingest` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backpropd.tabular.columns import MAX_WHOLE
from backpropd.tabular.date_statistics import iso_date

PREVIEW_BYTES, FEW_ROWS = 16 * 1024**2, 16  # of a look at the first rows, and how many are read at a time
MAX_VALUES_IN_MEMORY = 2**21  # of a file: 16 MiB of numbers
MICROSECONDS_OF_DAY = 86_400_000_000
BATCH_ROWS = 2**16  # decoded at a time
# A table of at most this file size and this number of cells is cached in memory: 8 MiB in all.
CACHED_BYTES, CACHED_CELLS, CACHED_TABLES = 2**15, 2**14, 64

Rows = NDArray[np.intp] | slice


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of strings: `codes` (n,) are indices into `levels`, -1 where the value is missing."""

    codes: NDArray[np.int32]
    levels: list[str]

    def __getitem__(self, rows: Rows) -> CategoricalColumn:
        """These rows, with the same levels."""
        return CategoricalColumn(self.codes[rows], self.levels)


Column = NDArray[np.float64] | CategoricalColumn


@dataclass(frozen=True)
class Table:
    """Columns by name: numbers as float64 with NaN where missing, all others as `CategoricalColumn`.

    Dates are numbers: days since 1970-01-01, with the time as their fraction.
    """

    columns: Mapping[str, Column]
    rows: int

    @classmethod
    def read(cls, path: Path, names: Sequence[str]) -> Table:
        """These columns of a Parquet file, loaded when they are used, fastest in this order.

        A small table is cached, because many jobs may train on it.
        """
        status = path.stat()
        key = (path, status.st_ino, status.st_mtime_ns, tuple(names))
        if status.st_size <= CACHED_BYTES and (cached := _read_small(*key)):
            return cached
        columns = _ParquetColumns(path, names)
        return cls(columns, columns.rows)

    def complete_rows(self, names: Sequence[str]) -> NDArray[np.intp]:
        """The indices of the rows without a missing value in any of these columns."""
        complete = np.ones(self.rows, bool)
        for name in names:
            column = self.columns[name]
            complete &= column.codes >= 0 if isinstance(column, CategoricalColumn) else ~np.isnan(column)
        return np.flatnonzero(complete)

    def take(self, rows: NDArray[np.intp], names: Sequence[str]) -> Table:
        """These rows of these columns, in memory."""
        return Table({name: self.columns[name][rows] for name in names}, len(rows))


class _ParquetColumns(Mapping[str, Column]):
    """Columns of a Parquet file, loaded when they are used; a few neighbours are loaded together and replace the last.

    Memory stays below `MAX_VALUES_IN_MEMORY`, or one column.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._file = pq.ParquetFile(pa.OSFile(str(path)))
        self._names = list(dict.fromkeys(names))
        self._loaded: dict[str, Column] = {}
        self.rows: int = self._file.metadata.num_rows

    def __getitem__(self, name: str) -> Column:
        if name not in self._loaded:
            self._loaded = {}  # frees memory before more is taken
            self._loaded = self._load_from(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _load_from(self, name: str) -> dict[str, Column]:
        first, count = self._names.index(name), max(MAX_VALUES_IN_MEMORY // max(self.rows, 1), 1)
        names = self._names[first : first + count]
        schema = self._file.schema_arrow
        numbers = {name: np.empty(self.rows) for name in names if schema.field(name).type != pa.string()}
        strings: dict[str, list[pa.Array]] = {name: [] for name in names if name not in numbers}
        start = 0
        for batch in self._file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            for name, column in numbers.items():
                column[start : start + len(batch)] = float_column(batch.column(name))
            for name, chunks in strings.items():
                chunks.append(batch.column(name))
            start += len(batch)
        return {name: numbers[name] if name in numbers else _categorical(strings.pop(name)) for name in names}


@lru_cache(maxsize=CACHED_TABLES)
def _read_small(path: Path, _inode: int, _modified: int, names: tuple[str, ...]) -> Table | None:
    """A read-only table in memory; None for a table with many cells in a small file."""
    columns = _ParquetColumns(path, names)
    if columns.rows * len(columns) > CACHED_CELLS:
        return None
    loaded = dict(columns)
    for column in loaded.values():
        (column.codes if isinstance(column, CategoricalColumn) else column).setflags(write=False)
    return Table(loaded, columns.rows)


def float_column(values: pa.Array) -> NDArray[np.float64]:
    """Numbers or timestamps (n,) as a column of a table: NaN where they are null, timestamps as days since 1970."""
    if not pa.types.is_timestamp(values.type):
        numbers: NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
        return numbers
    microseconds = values.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64(), safe=False)
    days: NDArray[np.float64] = microseconds.to_numpy(zero_copy_only=False) / MICROSECONDS_OF_DAY
    return days


def _categorical(chunks: list[pa.Array]) -> CategoricalColumn:
    encoded = pa.chunked_array(chunks, pa.string()).dictionary_encode().combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return CategoricalColumn(codes, encoded.dictionary.to_pylist())


def preview_rows(path: Path, limit: int, max_cells: int = MAX_VALUES_IN_MEMORY) -> list[dict[str, Any]]:
    """The first rows of a Parquet file as JSON values: `limit`, or fewer of `max_cells` cells or `PREVIEW_BYTES`."""
    file = pq.ParquetFile(path, memory_map=True)
    limit = min(limit, max(max_cells // len(file.schema_arrow), 1))
    rows: list[dict[str, Any]] = []
    size = 0
    for batch in file.iter_batches(batch_size=min(limit, FEW_ROWS), use_threads=False):
        rows += batch.slice(0, limit - len(rows)).to_pylist()
        size += batch.nbytes
        if len(rows) == limit or size > PREVIEW_BYTES:
            break
    return [{name: _json_value(value) for name, value in row.items()} for row in rows]


def _json_value(value: Any) -> Any:
    """A value for JSON: whole numbers as int, dates in ISO 8601, without their time at midnight."""
    if isinstance(value, datetime):
        return iso_date(value)
    return int(value) if _is_whole(value) else value


def class_label(value: Any) -> str:
    """A value as the label of a class: `3` for 3.0, `true` for True, a string as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value) if _is_whole(value) else value)


def _is_whole(value: Any) -> bool:
    """Whether a value is a float that an int shows without loss."""
    return isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE
