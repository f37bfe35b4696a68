"""The reader of Arrow's IPC format: files (also called Feather, version 2) and streams."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from backpropd.tabular.binary.typed_reader import TypedReader, explained_errors
from backpropd.tabular.limits import TableLimits
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.scratch_folder import ScratchFolder

FILE_SIGNATURE = b"ARROW1"


def open_arrow(path: Path, options: ReadOptions, limits: TableLimits, _: ScratchFolder) -> TypedReader:
    """Open an Arrow file or stream. Raises `NotATable` and `TableTooLarge`."""
    with explained_errors("arrow"), _open(path) as reader:
        schema = reader.schema
    return TypedReader("arrow", schema, partial(_batches, path), options, limits.columns)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.memory_map(str(path)) as file:
        is_file = file.read(len(FILE_SIGNATURE)) == FILE_SIGNATURE
        file.seek(0)
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(file, options=options) as reader:
            yield reader


def _batches(path: Path) -> Generator[pa.RecordBatch, None, None]:
    with _open(path) as reader:
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            yield from (reader.get_batch(n) for n in range(reader.num_record_batches))
        else:
            yield from reader
