"""Server-Sent Events: a job's statuses and epochs, read from SQL as they come, so that any process can stream them.

An event's id is `<transitions seen>-<last epoch seen>`: all that is needed to go on after it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from flask import Response

from backpropd import errors
from backpropd.store.job_versions import JobVersion
from backpropd.store.sql.schema import Job
from service.auth.principal import caller
from service.services import Services
from service.streaming.event_feed import Place
from service.streaming.job_watcher import UNSEEN

PAUSE_SECONDS = 0.1  # between two reads for one stream; in a crowd, longer, so that a crowd costs no more
PAUSE_SECONDS_EACH = 0.005
COMMENT_SECONDS = 10.0


def answer(world: Services, job: Job, last_event_id: str | None) -> Response:
    """The stream, if there is a place for one more: each holds a thread.

    Raises `errors.Unavailable` or `errors.TooManyAtOnce` if there is none.
    """
    place, name = _place(last_event_id), caller().name
    world.streams.take(name)
    response = Response(_Stream(world, job, place).events(), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(lambda: world.streams.give_back(name))
    return response


def _place(last_event_id: str | None) -> Place:
    if not last_event_id:
        return Place(0, 0)
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", last_event_id)
    if found is None:
        raise errors.Malformed("this Last-Event-ID came from no stream of ours: leave it out to start anew")
    return Place(int(found[1]), int(found[2]))


class _Stream:
    """One client's way through a job's news."""

    def __init__(self, world: Services, job: Job, place: Place) -> None:
        self.world, self.tenant, self.job_id = world, job.tenant, job.id
        self.place = place
        self.over = False

    def events(self) -> Iterator[bytes]:
        """Everything after the place, until the job is over or the stream has lived its time."""
        until = time.monotonic() + self.world.settings.event_stream_seconds
        watcher = self.world.job_watcher
        seen: JobVersion | None = UNSEEN
        yield b"retry: 1000\n\n"
        with watcher.watch(self.job_id):
            while not self.over and (left := until - time.monotonic()) > 0:
                mark = watcher.wait(self.job_id, seen, min(left, COMMENT_SECONDS))
                if mark == seen:
                    yield b": still here\n\n"  # tells a client that has gone from one that waits
                    continue
                try:
                    yield from self._batches(mark)
                except (errors.NotFound, errors.Unavailable):
                    return
                seen = mark
                time.sleep(max(PAUSE_SECONDS, PAUSE_SECONDS_EACH * watcher.watching))

    def _batches(self, mark: JobVersion | None) -> Iterator[bytes]:
        """What has come since the place, a batch of events at a time."""
        more = True
        while more:
            events, self.place, more, self.over = self.world.event_feed.after(
                self.tenant, self.job_id, mark, self.place
            )
            if events:
                yield events
