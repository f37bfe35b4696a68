"""The news of jobs as events: read and rendered once for all streams that stand at the same place in the same job."""

from __future__ import annotations

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
from service.http import rendering

BATCH = 500  # epochs
KEPT = 32  # batches
KEPT_SECONDS = 1.0


class Place(NamedTuple):
    """How far a stream has come: how many statuses and which epoch it has seen."""

    statuses: int
    epoch: int


class Batch(NamedTuple):
    """What comes after a place, oldest first, and the place behind it; `over` if nothing will ever come after that."""

    events: bytes
    place: Place
    more: bool
    over: bool


class _Wanted(NamedTuple):
    """What a batch was read for. What was read because of a mark is at least as new as it is."""

    tenant: str
    job_id: str
    mark: JobVersion | None
    place: Place


class EventFeed:
    """Reads batches, and keeps the last ones for a moment."""

    def __init__(self, database: Database, kept_seconds: float = KEPT_SECONDS) -> None:
        self._database, self._kept_seconds = database, kept_seconds
        self._keeping = threading.Lock()
        self._kept: OrderedDict[_Wanted, tuple[float, Future[Batch]]] = OrderedDict()

    def after(self, tenant: str, job_id: str, mark: JobVersion | None, place: Place) -> Batch:
        """What comes after `place` in the tenant's job, told by somebody to whom the watcher has shown `mark`.

        Raises `errors.NotFound` and `errors.Unavailable`, to all that wait for the same batch.
        """
        wanted = _Wanted(tenant, job_id, mark, place)
        batch, mine = self._promised(wanted)
        if mine:
            try:
                batch.set_result(self._read(tenant, job_id, place))
            except BaseException as error:
                self._forget(wanted)
                batch.set_exception(error)
        return batch.result()

    def _promised(self, wanted: _Wanted) -> tuple[Future[Batch], bool]:
        """The batch, and whether the caller has to read it: else somebody has, or is about to."""
        moment = time.monotonic()
        with self._keeping:
            if (kept := self._kept.get(wanted)) and moment - kept[0] < self._kept_seconds:
                return kept[1], False
            self._kept.pop(wanted, None)  # the new one goes to the end: the first is the oldest
            self._kept[wanted] = moment, Future[Batch]()
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[wanted][1], True

    def _forget(self, wanted: _Wanted) -> None:
        with self._keeping:
            self._kept.pop(wanted, None)

    def _read(self, tenant: str, job_id: str, place: Place) -> Batch:
        with self._database.read() as session:
            job = jobs.get(session, tenant, job_id)
            transitions = jobs.transitions(session, [job])[job.number]
            fresh = epochs.after(session, job.number, place.epoch, BATCH)
            shown = rendering.job(job, transitions)
        more, over = len(fresh) == BATCH, job.status in TERMINAL
        events = []
        if place.statuses < len(transitions) and not over:
            place = place._replace(statuses=len(transitions))
            events.append(_event("status", place, shown))
        for row in fresh:
            place = Place(place.statuses, row.epoch)
            events.append(_event("epoch", place, rendering.epoch(row)))
        if over and not more:  # the last status comes last
            place = place._replace(statuses=len(transitions))
            events.append(_event("status", place, shown))
        return Batch(b"".join(events), place, more, over)


def _event(kind: str, place: Place, data: dict[str, Any]) -> bytes:
    return b"event: %s\nid: %d-%d\ndata: %s\n\n" % (kind.encode(), *place, orjson.dumps(data))
