"""The routes that tell a tenant what it may use, and what it has used."""

from __future__ import annotations

import math
import time
from dataclasses import asdict

from sqlalchemy.orm import Session

from backpropd import errors
from backpropd.store import usage
from service import schemas
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("account")

FRESH_SECONDS = 1.0


@routes("GET", "/v1/limits", answers={200: schemas.Limits})
def limits() -> Answer:
    """What is allowed: whatever goes beyond is refused with a code and its number."""
    settings = services().settings
    return {
        "upload_bytes": settings.max_upload_bytes,
        "json_bytes": settings.max_json_bytes,
        "rows": settings.max_rows,
        "columns": settings.max_columns,
        "cells": settings.max_cells,
        "category_levels": settings.max_category_levels,
        "parameters": settings.max_parameters,
        "epochs": settings.max_epochs,
        "prediction_rows": settings.max_prediction_rows,
        "trace_rows": settings.max_trace_rows,
        "job_seconds": settings.max_job_seconds,
        "queued_jobs": settings.max_queued_jobs_per_tenant,
        "running_jobs": settings.max_running_jobs_per_tenant,
        "stored_bytes": settings.max_tenant_bytes,
        "requests_per_minute": settings.max_requests_per_minute,
        "event_streams": settings.max_event_streams_per_key,
        "bodies": settings.max_bodies_per_key,
        "body_bytes_per_second": settings.body_bytes_per_second,
        "looks": settings.max_looks_per_key,
    }


@routes("GET", "/v1/usage", answers={200: schemas.Usage})
def read_usage() -> Answer:
    """What this tenant has used: what its datasets, jobs and models come to now."""
    with services().database.read() as session:
        return asdict(usage.of(session, tenant()))


def refuse_when_over(session: Session) -> None:
    """Raise `errors.StorageFull` if there are too many bytes already; a second later at most.

    To count them is a look at every model of the tenant's: not for each of many jobs a second.
    """
    had_room, moment = services().had_room, time.monotonic()
    if moment - had_room.get(tenant(), -math.inf) > FRESH_SECONDS:
        refuse_when_full(session, 0)
        had_room[tenant()] = moment


def refuse_when_full(session: Session, more: int) -> None:
    """Raise `errors.StorageFull` if so many bytes more are too many, or there are too many already."""
    most, used = services().settings.max_tenant_bytes, usage.stored_bytes(session, tenant())
    if used + more > most:
        raise errors.StorageFull(
            f"your datasets and models have {used} bytes, this would add {more}, and {most} are the most: delete some"
        )
