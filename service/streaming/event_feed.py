"""A job's events after a cursor, read and rendered once for all streams at the same cursor of the same job."""

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, NamedTuple

import orjson

from backpropd.store import epochs, jobs
from backpropd.store.job_versions import JobVersion
from backpropd.store.sql.database import Database
from backpropd.store.status import TERMINAL
from service.schemas.jobs import Epoch, Job

BATCH_EPOCHS = 500
MAX_CACHED = 32  # batches
CACHE_SECONDS = 1.0


class Cursor(NamedTuple):
    """How much of a job a stream has sent: the number of transitions, and the last epoch."""

    transitions: int
    epoch: int


class EventBatch(NamedTuple):
    """The events after a cursor, oldest first, and the cursor behind them.

    `more` says that the next batch can be read at once, `over` that no event will ever follow.
    """

    events: bytes
    cursor: Cursor
    more: bool
    over: bool


class _BatchKey(NamedTuple):
    """What a batch was read for. A batch that was read for a version has at least the events of that version."""

    tenant: str
    job_id: str
    version: JobVersion | None
    cursor: Cursor


class EventFeed:
    """Reads batches, and caches the last ones for a moment."""

    def __init__(self, database: Database, cache_seconds: float = CACHE_SECONDS) -> None:
        self._database, self._cache_seconds = database, cache_seconds
        self._lock = threading.Lock()
        self._cached: OrderedDict[_BatchKey, tuple[float, Future[EventBatch]]] = OrderedDict()

    def after(self, tenant: str, job_id: str, version: JobVersion | None, cursor: Cursor) -> EventBatch:
        """The batch after `cursor` of the tenant's job, for a stream that has been woken by `version`.

        Raises `errors.NotFound` and `errors.Unavailable`, in all requests that wait for the same batch.
        """
        key = _BatchKey(tenant, job_id, version, cursor)
        batch, is_reader = self._future(key)
        if is_reader:
            try:
                batch.set_result(self._read(tenant, job_id, cursor))
            except BaseException as error:
                self._forget(key)
                batch.set_exception(error)
        return batch.result()

    def _future(self, key: _BatchKey) -> tuple[Future[EventBatch], bool]:
        """The batch, and whether the caller has to read it; if not, another request reads it or has read it."""
        now = time.monotonic()
        with self._lock:
            if (cached := self._cached.get(key)) and now - cached[0] < self._cache_seconds:
                return cached[1], False
            self._cached.pop(key, None)  # the new one goes to the end: the first is the oldest
            self._cached[key] = now, Future[EventBatch]()
            if len(self._cached) > MAX_CACHED:
                self._cached.popitem(last=False)
            return self._cached[key][1], True

    def _forget(self, key: _BatchKey) -> None:
        with self._lock:
            self._cached.pop(key, None)

    def _read(self, tenant: str, job_id: str, cursor: Cursor) -> EventBatch:
        with self._database.read() as session:
            row = jobs.get(session, tenant, job_id)
            transitions = jobs.transitions(session, [row])[row.number]
            new_epochs = epochs.after(session, row.number, cursor.epoch, BATCH_EPOCHS)
            job = Job.of(row, transitions)
        more, over = len(new_epochs) == BATCH_EPOCHS, row.status in TERMINAL
        events = []
        if cursor.transitions < len(transitions) and not over:
            cursor = cursor._replace(transitions=len(transitions))
            events.append(_event("status", cursor, job))
        for epoch in new_epochs:
            cursor = Cursor(cursor.transitions, epoch.epoch)
            events.append(_event("epoch", cursor, Epoch.of(epoch)))
        if over and not more:  # the final status is the last event
            cursor = cursor._replace(transitions=len(transitions))
            events.append(_event("status", cursor, job))
        return EventBatch(b"".join(events), cursor, more, over)


def _event(kind: str, cursor: Cursor, data: dict[str, Any]) -> bytes:
    return b"event: %s\nid: %d-%d\ndata: %s\n\n" % (kind.encode(), *cursor, orjson.dumps(data))
