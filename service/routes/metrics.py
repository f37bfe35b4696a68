"""The route for Prometheus: requests of this process, and the jobs of the tenant whose key asks."""

from __future__ import annotations

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from backpropd.store import usage
from backpropd.store.status import Status
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("health")


@routes("GET", "/metrics", answers={200: "text/plain"})
def metrics() -> Answer:
    """Requests by route, status and time; the tenant's jobs by status, and the epochs that it has trained."""
    here = services()
    with here.database.read() as session:
        jobs, epochs = usage.progress(session, tenant())
    own = CollectorRegistry()
    by_status = Gauge("backpropd_jobs", "Jobs by status; those that are queued are the queue", ["status"], registry=own)
    for status in Status:
        by_status.labels(status.value).set(jobs.get(status.value, 0))
    Gauge("backpropd_epochs", "Epochs of all jobs", registry=own).set(epochs)
    return Response(generate_latest(here.registry) + generate_latest(own), content_type=CONTENT_TYPE_LATEST)
