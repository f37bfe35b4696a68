"""The reader of Parquet files."""

from collections.abc import Generator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from backpropd.tabular.binary.typed_reader import BLOCK_CELLS, BLOCK_ROWS, TypedReader, explained_errors
from backpropd.tabular.limits import TableLimits, check_rows
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import ScratchFolder

MAX_FOOTER_STRING = 16 * 1024 * 1024  # bytes
MAX_FOOTER_ITEMS = 4_000_000  # columns times row groups, about a hundred bytes each in memory


def open_parquet(path: Path, options: ReadOptions, limits: TableLimits, _: ScratchFolder) -> TypedReader:
    """Open a Parquet file. Raises `NotATable` and `TableTooLarge`."""
    with explained_errors("parquet"), _open(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    check_rows(rows, limits.rows)
    return TypedReader("parquet", schema, partial(_batches, path), options, limits.columns, rows)


def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(
        path,
        pre_buffer=False,
        buffer_size=64 * 1024,
        thrift_string_size_limit=MAX_FOOTER_STRING,
        thrift_container_size_limit=MAX_FOOTER_ITEMS,
    )


def _batches(path: Path) -> Generator[pa.RecordBatch, None, None]:
    with _open(path) as file:
        rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(len(file.schema_arrow), 1)))
        yield from file.iter_batches(batch_size=rows, use_threads=False)
