"""Server-Sent Events: a job's statuses and epochs, read from SQL, so that any process can stream any job.

An event's id is the cursor behind it, `<transitions>-<epoch>`: all that is needed to continue after it.
"""

import re
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from flask import Response

from backpropd import errors
from backpropd.store.job_versions import JobVersion
from backpropd.store.sql.schema import Job
from service.limits.concurrency_limit import ConcurrencyLimit, Holder
from service.server.disconnect import Disconnect
from service.streaming.event_feed import Cursor, EventFeed
from service.streaming.job_watcher import UNKNOWN, JobWatcher

PAUSE_SECONDS = 0.1  # between two reads of one stream
PAUSE_SECONDS_PER_WATCHER = 0.005  # many streams read less often, so that their total cost stays the same
COMMENT_SECONDS = 10.0


@dataclass(frozen=True)
class EventStreams:
    """Opens streams; each holds a thread, so `slots` limits them, and after `max_seconds` a client must reconnect."""

    watcher: JobWatcher
    feed: EventFeed
    slots: ConcurrencyLimit
    max_seconds: float

    def open(self, job: Job, last_event_id: str | None, holder: Holder, disconnect: Disconnect) -> Response:
        """The stream of a job after an event, until the client disconnects.

        Raises `errors.Unavailable` or `errors.TooManyAtOnce` without a slot.
        """
        cursor = _parse_cursor(last_event_id)
        self.slots.acquire(holder)
        response = Response(self._events(job.tenant, job.id, cursor, disconnect), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.call_on_close(lambda: self.slots.release(holder))
        return response

    def _events(self, tenant: str, job_id: str, cursor: Cursor, disconnect: Disconnect) -> Iterator[bytes]:
        """Everything after the cursor, until the job is over or deleted, or the stream's time is up."""
        until = time.monotonic() + self.max_seconds
        seen: JobVersion | None = UNKNOWN
        over = False
        yield b"retry: 1000\n\n"
        with self.watcher.watch(job_id, disconnect):
            while not over and (left := until - time.monotonic()) > 0:
                version = self.watcher.wait(job_id, seen, min(left, COMMENT_SECONDS), disconnect)
                if version == seen:
                    yield b": keep-alive\n\n"  # writing finds out whether the client has left
                    continue
                try:
                    cursor, over = yield from self._batches(tenant, job_id, version, cursor)
                except (errors.NotFound, errors.Unavailable):
                    return
                seen = version
                time.sleep(max(PAUSE_SECONDS, PAUSE_SECONDS_PER_WATCHER * self.watcher.watchers))

    def _batches(
        self, tenant: str, job_id: str, version: JobVersion | None, cursor: Cursor
    ) -> Generator[bytes, None, tuple[Cursor, bool]]:
        """All batches after the cursor; returns the cursor behind them, and whether the job is over."""
        more, over = True, False
        while more:
            events, cursor, more, over = self.feed.after(tenant, job_id, version, cursor)
            if events:
                yield events
        return cursor, over


def _parse_cursor(last_event_id: str | None) -> Cursor:
    if not last_event_id:
        return Cursor(0, 0)
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", last_event_id)
    if found is None:
        raise errors.Malformed("this Last-Event-ID is not from this service: omit it to start from the first event")
    return Cursor(int(found[1]), int(found[2]))
