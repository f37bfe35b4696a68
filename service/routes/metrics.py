"""The route of Prometheus metrics: the requests of this process, and the jobs of the tenant whose key asks."""

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from backpropd import logs
from backpropd.store import usage
from backpropd.store.scheduling import workers
from backpropd.store.status import Status
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.services import services

routes = Routes("health")


@routes("GET", "/metrics", answers={200: "text/plain"})
def metrics() -> Answer:
    """Requests by route, status and duration; the tenant's jobs by status, and its epochs; errors of each program."""
    with services().database.read() as session:
        jobs, epochs = usage.progress(session, tenant())
        failures = {"api": logs.error_count(), **workers.failures(session)}
    registry = CollectorRegistry()
    gauge = Gauge("backpropd_jobs", "Jobs by status; the queued ones are the queue", ["status"], registry=registry)
    for status in Status:
        gauge.labels(status.value).set(jobs.get(status.value, 0))
    Gauge("backpropd_epochs", "Epochs of all jobs", registry=registry).set(epochs)
    survived = Gauge("backpropd_errors", "Unexpected errors since its start", ["program"], registry=registry)
    for program, count in failures.items():
        survived.labels(program).set(count)
    text = generate_latest(services().registry) + generate_latest(registry)
    return Response(text, content_type=CONTENT_TYPE_LATEST)
