"""How the service is."""

from __future__ import annotations

from typing import Literal

from service.schemas.fields import Output


class Health(Output):
    status: Literal["alive"]


class Part(Output):
    ready: bool
    detail: str


class Readiness(Output):
    status: Literal["ready", "not_ready"]
    database: Part
    broker: Part
    workers: Part
