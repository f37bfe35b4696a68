"""A Parquet file that is written in a thread of its own."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class Writer:
    """Writes Parquet beside whoever fills it, so that parsing and compressing use a core each."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        words = [field.name for field in schema if field.type == pa.string()]
        self._writer = pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=words, write_statistics=False)
        self._batches: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=2)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def put(self, batch: pa.RecordBatch) -> None:
        """Hand over a batch; waits when the writer is two behind."""
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
        while (batch := self._batches.get()) is not None:
            try:
                if self._error is None:
                    self._writer.write_batch(batch)
            except BaseException as error:
                self._error = error
