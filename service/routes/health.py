"""The routes that tell how the service is, and its reference."""

from __future__ import annotations

from backpropd import errors, queue
from backpropd.store.scheduling import workers
from service import schemas
from service.http.routing import Answer, Routes
from service.services import Services, services

routes = Routes("health")


@routes("GET", "/healthz", answers={200: schemas.Health})
def healthz() -> Answer:
    """Whether the process lives; it touches nothing else."""
    return {"status": "alive"}


@routes("GET", "/readyz", answers={200: schemas.Readiness, 503: schemas.Readiness})
def readyz() -> Answer:
    """Whether the service can train: the state of the database, the broker and the workers."""
    here = services()
    parts = {"database": _database(here), "broker": _broker(here)}
    parts["workers"] = _workers(here) if parts["database"]["ready"] else _part(False, "unknown without the database")
    ready = all(part["ready"] for part in parts.values())
    body = {"status": "ready" if ready else "not_ready", **parts}
    return (body, 200) if ready else (body, 503, {"Retry-After": "5"})


def _part(ready: bool, detail: str) -> dict[str, bool | str]:
    return {"ready": ready, "detail": detail}


def _database(here: Services) -> dict[str, bool | str]:
    try:
        here.database.ping()
    except errors.Unavailable as away:
        return _part(False, away.detail)
    return _part(True, "answers")


def _broker(here: Services) -> dict[str, bool | str]:
    if queue.ping(here.celery):
        return _part(True, "answers")
    return _part(False, "does not answer: jobs are taken all the same, and start when the reaper or a worker looks")


def _workers(here: Services) -> dict[str, bool | str]:
    try:
        with here.database.read() as session:
            count, slots = workers.alive(session, here.settings.worker_timeout_seconds)
    except errors.Unavailable as away:
        return _part(False, away.detail)
    return _part(count > 0, f"{count} with {slots} places for jobs" if count else "none was heard of lately")
