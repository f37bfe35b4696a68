"""Liveness and readiness."""

from typing import Literal

from service.schemas.fields import Output


class Health(Output):
    status: Literal["alive"]


class Component(Output):
    ready: bool
    detail: str


class Readiness(Output):
    """`degraded` (200) is a service that trains without its reaper, which requeues the jobs of lost workers.

    A request without a key, as of a load balancer, is told the status alone.
    """

    status: Literal["ready", "degraded", "not_ready"]
    database: Component | None = None
    disk: Component | None = None
    blobs: Component | None = None
    broker: Component | None = None
    workers: Component | None = None
    reaper: Component | None = None
