"""The routes of liveness and readiness."""

from service.auth.access_control import PUBLIC
from service.http.routing import Answer, Routes
from service.schemas.health import Health, Readiness
from service.services import services

routes = Routes("health")

LIVENESS = "/healthz"
READINESS = "/readyz"


@routes("GET", LIVENESS, answers={200: Health}, scope=PUBLIC)
def healthz() -> Answer:
    """Whether the process is running; nothing else is checked."""
    return {"status": "alive"}


@routes("GET", READINESS, answers={200: Readiness, 503: Readiness})
def readyz() -> Answer:
    """Whether the service can train: the state of the database, the broker and the workers."""
    components = services().readiness.components()
    if all(component["ready"] for component in components.values()):
        return {"status": "ready", **components}, 200
    return {"status": "not_ready", **components}, 503, {"Retry-After": "5"}
