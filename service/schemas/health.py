"""Liveness and readiness."""

from typing import Literal

from service.schemas.fields import Output


class Health(Output):
    status: Literal["alive"]


class Component(Output):
    ready: bool
    detail: str


class Readiness(Output):
    status: Literal["ready", "not_ready"]
    database: Component
    broker: Component
    workers: Component
