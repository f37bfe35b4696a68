"""The routes of liveness and readiness."""

from flask import g

from service.auth.access_control import KEY_OPTIONAL, PUBLIC
from service.http.request_hooks import LIVENESS, READINESS
from service.http.routing import Answer, Routes
from service.readiness import OPTIONAL
from service.schemas.health import Health, Readiness
from service.services import services

routes = Routes("health")


@routes("GET", LIVENESS[0], answers={200: Health}, scope=PUBLIC)
def healthz() -> Answer:
    """Whether the process is running; nothing else is checked."""
    return {"status": "alive"}


@routes("GET", READINESS[0], answers={200: Readiness, 503: Readiness}, scope=KEY_OPTIONAL)
def readyz() -> Answer:
    """Whether the service can train; with a key: the database, disk, blobs, broker, the workers and the reaper."""
    components = services().readiness.components()
    missing = {name for name, component in components.items() if not component["ready"]}
    shown = components if "principal" in g else {}
    if missing - OPTIONAL:
        return {"status": "not_ready", **shown}, 503, {"Retry-After": "5"}
    return {"status": "degraded" if missing else "ready", **shown}, 200
