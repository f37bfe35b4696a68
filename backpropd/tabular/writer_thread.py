"""A thread that writes batches, so that reading and writing use one core each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from backpropd.tabular.threads import are_threads_allowed


class WriterThread:
    """Calls `write` with each batch in a thread, in their order; at the end it waits for all."""

    def __init__(self, write: Callable[[pa.RecordBatch], None]) -> None:
        self._write, self._thread = write, ThreadPoolExecutor(1)
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> WriterThread:
        return self

    def put(self, batch: pa.RecordBatch) -> None:
        """Queue a batch; waits while more than two are queued. Raises the thread's error."""
        if not are_threads_allowed():
            return self._write(batch)
        self._pending.append(self._thread.submit(self._write, batch))
        if len(self._pending) > 2:
            self._pending.popleft().result()
        return None

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Wait until all is written. Raises the thread's error."""
        with self._thread:
            for each in self._pending:
                each.result()
