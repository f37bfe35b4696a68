"""The reader of tables whose columns have types, from Arrow's record batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backpropd.errors import NotATable
from backpropd.prefetch import prefetched
from backpropd.tabular.binary.arrow_values import (
    DATE,
    NUMBER,
    TEXT,
    is_nested,
    kind_of_type,
    plain_values,
    to_dates,
    to_numbers,
    to_text,
)
from backpropd.tabular.column_names import column_names
from backpropd.tabular.columns import KEPT_AS_TEXT
from backpropd.tabular.limits import check_columns
from backpropd.tabular.messages import brief
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.threads import are_threads_allowed
from backpropd.tabular.warnings import WarningLog

BLOCK_ROWS = 64 * 1024
BLOCK_CELLS = 1024 * 1024
MAX_NESTING = 16  # of structs, each of which becomes columns


class TypedReader:
    """Iterates over blocks of at most `BLOCK_ROWS` rows.

    `batches` opens the file anew and gives its record batches, all of the one schema. A column whose whole numbers or
    decimals do not all fit a float64 joins `text_columns`. Fields of a struct are columns, named with a dot.
    """

    dialect: Mapping[str, Any] | None = None

    def __init__(
        self,
        format: str,
        schema: pa.Schema,
        batches: Callable[[], Generator[pa.RecordBatch, None, None]],
        options: ReadOptions,
        max_columns: int,
        rows: int | None = None,
    ) -> None:
        """`rows` is the number that the file states. Raises `NotATable`, and `TableTooLarge` for too many columns."""
        self.format = format
        self._batches, self._options, self._rows = batches, options, rows
        self.warnings = WarningLog()
        with explained_errors(format):
            fields = _flatten(pa.RecordBatch.from_pylist([], schema)).schema
        check_columns(len(fields), max_columns)
        if not len(fields):
            raise NotATable("the table has no columns: send at least two")
        self.names: Sequence[str] = column_names(fields.names, self.warnings)
        self._types = dict(zip(self.names, fields.types, strict=True))
        self._kinds = {name: self._kind(name, type) for name, type in self._types.items()}
        self.text_columns = {name for name, kind in self._kinds.items() if kind == TEXT}
        self.date_columns = frozenset(name for name, kind in self._kinds.items() if kind == DATE)
        self._log, self._is_told = self.warnings, False  # a second reading finds the same
        self._warn_of_nested_columns()

    def _kind(self, name: str, type: pa.DataType) -> str:
        kind, wanted = kind_of_type(name, type), self._options.kinds.get(name)
        return TEXT if wanted in KEPT_AS_TEXT and not (kind == DATE and wanted == DATE) else kind

    def line_of(self, row: int) -> int:
        """See `TableReader`."""
        return row + 1

    def __iter__(self) -> Generator[list[pa.Array], None, None]:
        """The columns of each block. Raises `NotATable`."""
        done, self._log = 0, WarningLog() if self._is_told else self.warnings
        with explained_errors(self.format):
            for batch in prefetched(self._batches()) if are_threads_allowed() else self._batches():
                batch.validate(full=True)
                for start in range(0, batch.num_rows, self._block_rows):
                    block = _flatten(batch.slice(start, self._block_rows))
                    yield [self._column(*each, done) for each in zip(self.names, block.columns, strict=True)]
                    done += block.num_rows
        if self._rows not in (None, done):
            raise NotATable(f"the file says that it has {self._rows} rows and holds {done}: write it again")
        self._is_told = True

    @property
    def _block_rows(self) -> int:
        return max(1, min(BLOCK_ROWS, BLOCK_CELLS // len(self.names)))

    def _warn_of_nested_columns(self) -> None:
        for name in self.names:
            if is_nested(self._types[name]):
                self.warnings.add("nested_values", name, "each value is a list or a map; it is kept as JSON text")

    def _column(self, name: str, values: pa.Array, row: int) -> pa.Array:
        values = plain_values(values)
        if self._kinds[name] == DATE:
            dates, out = to_dates(values)
            self._warn(name, values, out, row, "dates outside the years 1 to 9999 are missing")
            return dates
        if self._kinds[name] == NUMBER and name not in self.text_columns:
            numbers = to_numbers(values)
            if numbers is not None:
                return self._finite(name, numbers, row)
            self.text_columns.add(name)
        return to_text(name, values)

    def _finite(self, name: str, numbers: pa.DoubleArray, row: int) -> pa.DoubleArray:
        infinite = pc.is_inf(numbers)
        self._warn(name, numbers, infinite, row, "infinite numbers are missing")
        return pc.if_else(infinite, pa.scalar(None, pa.float64()), numbers) if pc.any(infinite).as_py() else numbers

    def _warn(self, name: str, values: pa.Array, found: pa.BooleanArray, row: int, detail: str) -> None:
        count = pc.sum(found).as_py()
        if count:
            rows = np.flatnonzero(found.fill_null(False).to_numpy(zero_copy_only=False))[:10].tolist()
            texts = to_text(name, values.take(pa.array(rows))).to_pylist()
            examples = [(self.line_of(row + at), str(text)) for at, text in zip(rows, texts, strict=True)]
            self._log.add("cells_not_numbers", name, detail, examples, count)


def _flatten(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with a column for each field of a struct. Raises `NotATable` for structs nested too deeply."""
    for _ in range(MAX_NESTING):
        if not any(pa.types.is_struct(type) for type in batch.schema.types):
            return batch
        table = pa.Table.from_batches([batch]).flatten()
        columns = [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in table.columns]
        batch = pa.RecordBatch.from_arrays(columns, table.column_names)
    raise NotATable(f"a column is nested more than {MAX_NESTING} deep: flatten it")


@contextmanager
def explained_errors(format: str) -> Iterator[None]:
    """Raise `NotATable` for the errors of Arrow, NumPy and Python about a damaged file or a value beyond them."""
    try:
        yield
    except (pa.ArrowNotImplementedError, pa.ArrowKeyError, pa.ArrowSerializationError, OSError, OverflowError,
            ValueError) as error:  # fmt: skip
        raise NotATable(f"this {format} file is damaged, or has what is not supported: {brief(error)}") from error
