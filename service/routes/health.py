"""The routes of liveness and readiness."""

from typing import Any

from backpropd import errors, queue
from backpropd.store.scheduling import workers
from service.auth.access_control import PUBLIC
from service.http.routing import Answer, Routes
from service.schemas.health import Health, Readiness
from service.services import services

routes = Routes("health")


@routes("GET", "/healthz", answers={200: Health}, scope=PUBLIC)
def healthz() -> Answer:
    """Whether the process is running; nothing else is checked."""
    return {"status": "alive"}


@routes("GET", "/readyz", answers={200: Readiness, 503: Readiness})
def readyz() -> Answer:
    """Whether the service can train: the state of the database, the broker and the workers."""
    components = {"database": _database(), "broker": _broker(), "workers": _workers()}
    if all(component["ready"] for component in components.values()):
        return {"status": "ready", **components}, 200
    return {"status": "not_ready", **components}, 503, {"Retry-After": "5"}


def _component(ready: bool, detail: str) -> dict[str, Any]:
    return {"ready": ready, "detail": detail}


def _database() -> dict[str, Any]:
    try:
        services().database.ping()
    except errors.Unavailable as error:
        return _component(False, error.detail)
    return _component(True, "answers")


def _broker() -> dict[str, Any]:
    if queue.ping(services().celery):
        return _component(True, "answers")
    return _component(False, "does not answer: jobs are accepted, and start when the reaper or a worker polls")


def _workers() -> dict[str, Any]:
    try:
        with services().database.read() as session:
            count, slots = workers.alive(session, services().settings.worker_timeout_seconds)
    except errors.Unavailable:
        return _component(False, "unknown without the database")
    return _component(count > 0, f"{count} with {slots} slots for jobs" if count else "no recent heartbeat")
