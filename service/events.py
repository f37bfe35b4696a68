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
from service.world import TENANT, World

LOOK_SECONDS = 0.1
COMMENT_SECONDS = 10.0
BATCH = 500


def answer(world: World, job: Job, last_event_id: str | None) -> Response:
    """The stream, if there is a place for one more: each holds a thread. Raises `errors.Unavailable`."""
    position = _position(last_event_id)
    if not world.streams.acquire(blocking=False):
        raise errors.Unavailable("every place for an event stream is taken: poll /epochs, or try again", retry_after=5)
    response = Response(_events(world, job.id, *position), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(world.streams.release)
    return response


def _position(last_event_id: str | None) -> tuple[int, int]:
    if not last_event_id:
        return 0, 0
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", last_event_id)
    if found is None:
        raise errors.Malformed("this Last-Event-ID came from no stream of ours: leave it out to start anew")
    return int(found[1]), int(found[2])


def _events(world: World, job_id: str, statuses: int, epoch: int) -> Iterator[bytes]:
    """Everything after the position, until the job is over or the stream has lived its time."""
    until = time.monotonic() + world.settings.event_stream_seconds
    spoke = time.monotonic()
    yield b"retry: 1000\n\n"
    while time.monotonic() < until:
        try:
            with world.database.read() as session:
                job = jobs.get(session, TENANT, job_id)
                transitions = jobs.transitions(session, [job])[job.number]
                fresh = epochs.after(session, job.number, epoch, BATCH)
                shown = rendering.job(job, transitions)
        except (errors.NotFound, errors.Unavailable):
            return
        over = job.status in OVER
        if statuses < len(transitions) and not over:
            statuses = len(transitions)
            yield _event("status", statuses, epoch, shown)
        for row in fresh:
            epoch = row.epoch
            yield _event("epoch", statuses, epoch, rendering.epoch(row))
        if over and len(fresh) < BATCH:
            yield _event("status", len(transitions), epoch, shown)
            return
        if fresh:
            spoke = time.monotonic()
        elif time.monotonic() - spoke > COMMENT_SECONDS:
            spoke = time.monotonic()
            yield b": still here\n\n"  # tells a client that has gone from one that waits
        if len(fresh) < BATCH:
            time.sleep(LOOK_SECONDS)


def _event(kind: str, statuses: int, epoch: int, data: object) -> bytes:
    return b"event: %s\nid: %d-%d\ndata: %s\n\n" % (kind.encode(), statuses, epoch, orjson.dumps(data))
