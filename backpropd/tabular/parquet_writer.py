"""A Parquet file that is written in a thread."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from backpropd.tabular.writer_thread import WriterThread

# The least bytes of a row group, in all and per column: every group keeps a header per column in memory to the end.
GROUP_BYTES = 1024 * 1024
COLUMN_BYTES = 4 * 1024
BATCH_ROWS = 64 * 1024  # more than a group of numbers has: the writer passes over each column once


class ParquetWriter:
    """Writes Parquet in a thread, so that parsing and compressing use one core each."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        strings = [field.name for field in schema if field.type == pa.string()]
        # decimals hardly shrink, and trying costs as much as parsing them
        compression = {field.name: "lz4" if field.name in strings else "none" for field in schema}
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression=compression,
            use_dictionary=strings,
            write_statistics=False,
            write_batch_size=BATCH_ROWS,
        )
        self._group_bytes = max(GROUP_BYTES, COLUMN_BYTES * len(schema))
        self._thread = WriterThread(self._add)
        self._group: list[pa.RecordBatch] = []
        self._bytes = 0  # of the group

    def __enter__(self) -> ParquetWriter:
        return self

    def put(self, batch: pa.RecordBatch) -> None:
        """Queue a batch; waits while more than two are queued. Raises the thread's error."""
        self._thread.put(batch)

    def __exit__(self, *_: object) -> None:
        with self._writer:
            self._thread.finish()
            self._flush()

    def _add(self, batch: pa.RecordBatch) -> None:
        self._group.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self._group_bytes:
            self._flush()

    def _flush(self) -> None:
        group, self._group, self._bytes = self._group, [], 0
        if group:
            self._writer.write_table(pa.Table.from_batches(group))
