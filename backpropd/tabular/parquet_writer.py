"""A Parquet file that is written in a thread."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# The least bytes of a row group, in all and per column: every group keeps a header per column in memory to the end.
GROUP_BYTES = 1024 * 1024
COLUMN_BYTES = 4 * 1024


class ParquetWriter:
    """Writes Parquet in a thread, so that parsing and compressing use one core each."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        strings = [field.name for field in schema if field.type == pa.string()]
        # decimals hardly shrink, and trying costs as much as parsing them
        compression = {field.name: "lz4" if field.name in strings else "none" for field in schema}
        self._writer = pq.ParquetWriter(
            path, schema, compression=compression, use_dictionary=strings, write_statistics=False
        )
        self._group_bytes = max(GROUP_BYTES, COLUMN_BYTES * len(schema))
        self._batches: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=2)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> ParquetWriter:
        self._thread.start()
        return self

    def put(self, batch: pa.RecordBatch) -> None:
        """Queue a batch; blocks while two are waiting. Raises the thread's error."""
        if self._error is not None:
            raise self._error
        self._batches.put(batch)

    def __exit__(self, *_: object) -> None:
        self._batches.put(None)
        self._thread.join()
        self._writer.close()
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        group: list[pa.RecordBatch] = []
        while (batch := self._batches.get()) is not None:
            group.append(batch)
            if sum(each.nbytes for each in group) >= self._group_bytes:
                self._flush(group)
        self._flush(group)

    def _flush(self, group: list[pa.RecordBatch]) -> None:
        try:
            if self._error is None and group:
                self._writer.write_table(pa.Table.from_batches(group))
        except BaseException as error:
            self._error = error
        group.clear()
