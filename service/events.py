"""Server-Sent Events: a job's statuses and epochs, read from SQL as they come, so that any process can stream them.

An event's id is `<transitions seen>-<last epoch seen>`: all that is needed to go on after it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import orjson
from flask import Response

from backpropd import errors
from backpropd.store import epochs, jobs
from backpropd.store.schema import Job
from backpropd.store.status import OVER
from service import rendering
from service.caller import caller
from service.watcher import UNSEEN, Mark
from service.world import World

PAUSE_SECONDS = 0.1  # between two reads for one stream; in a crowd, longer, so that a crowd costs no more
PAUSE_SECONDS_EACH = 0.005
COMMENT_SECONDS = 10.0
BATCH = 500


def answer(world: World, job: Job, last_event_id: str | None) -> Response:
    """The stream, if there is a place for one more: each holds a thread.

    Raises `errors.Unavailable` or `errors.TooManyAtOnce` if there is none.
    """
    position, name = _position(last_event_id), caller().name
    world.streams.take(name)
    response = Response(_Stream(world, job, *position).events(), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(lambda: world.streams.give_back(name))
    return response


def _position(last_event_id: str | None) -> tuple[int, int]:
    if not last_event_id:
        return 0, 0
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", last_event_id)
    if found is None:
        raise errors.Malformed("this Last-Event-ID came from no stream of ours: leave it out to start anew")
    return int(found[1]), int(found[2])


class _Stream:
    """One client's way through a job's news: how many statuses and which epoch it has seen."""

    def __init__(self, world: World, job: Job, statuses: int, epoch: int) -> None:
        self.world, self.tenant, self.job_id = world, job.tenant, job.id
        self.statuses, self.epoch = statuses, epoch
        self.over = False

    def events(self) -> Iterator[bytes]:
        """Everything after the position, until the job is over or the stream has lived its time."""
        until = time.monotonic() + self.world.settings.event_stream_seconds
        watcher = self.world.watcher
        seen: Mark | None = UNSEEN
        yield b"retry: 1000\n\n"
        with watcher.watch(self.job_id):
            while not self.over and (left := until - time.monotonic()) > 0:
                mark = watcher.wait(self.job_id, seen, min(left, COMMENT_SECONDS))
                if mark == seen:
                    yield b": still here\n\n"  # tells a client that has gone from one that waits
                    continue
                try:
                    yield from self._news()
                except (errors.NotFound, errors.Unavailable):
                    return
                seen = mark
                time.sleep(max(PAUSE_SECONDS, PAUSE_SECONDS_EACH * watcher.watching))

    def _news(self) -> Iterator[bytes]:
        """What has come since the position, in the order in which it came; the last status comes last."""
        more = True
        while more:
            with self.world.database.read() as session:
                job = jobs.get(session, self.tenant, self.job_id)
                transitions = jobs.transitions(session, [job])[job.number]
                fresh = epochs.after(session, job.number, self.epoch, BATCH)
                shown = rendering.job(job, transitions)
            more, self.over = len(fresh) == BATCH, job.status in OVER
            if self.statuses < len(transitions) and not self.over:
                self.statuses = len(transitions)
                yield self._event("status", shown)
            for row in fresh:
                self.epoch = row.epoch
                yield self._event("epoch", rendering.epoch(row))
        if self.over:
            self.statuses = len(transitions)
            yield self._event("status", shown)

    def _event(self, kind: str, data: object) -> bytes:
        return b"event: %s\nid: %d-%d\ndata: %s\n\n" % (kind.encode(), self.statuses, self.epoch, orjson.dumps(data))
