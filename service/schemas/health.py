"""Liveness and readiness."""

from typing import Literal

from service.schemas.fields import Output


class Health(Output):
    status: Literal["alive"]


class Component(Output):
    ready: bool
    detail: str


class Readiness(Output):
    """`degraded` (200) is a service that trains without its reaper, which requeues the jobs of lost workers."""

    status: Literal["ready", "degraded", "not_ready"]
    database: Component
    disk: Component
    broker: Component
    workers: Component
    reaper: Component
