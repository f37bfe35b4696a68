"""Metrics of the whole service for its operator: Prometheus text at a port of its own, which needs no key."""

from collections.abc import Iterator
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backpropd import errors, logs
from backpropd.store.scheduling import workers
from backpropd.store.sql.column_types import now
from backpropd.store.sql.schema import Job
from backpropd.store.status import Status
from service.services import Services


def serve(services: Services) -> WSGIServer | None:
    """Answer at the port of the settings, in threads, until the process ends or the server is shut down."""
    settings = services.settings
    if not settings.metrics_port:
        return None
    registry = CollectorRegistry()  # that of `services` is shown to tenants
    registry.register(services.requests)
    registry.register(ServiceCollector(services))
    server, _ = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    return server


class ServiceCollector(Collector):
    """Reads the state of the service at each scrape."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> list[Metric]:
        """Nothing before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The state of the components, and of the queue and the workers while the database answers."""
        components = self._services.readiness.components()
        ready = GaugeMetricFamily("backpropd_component_ready", "1 if the component works", labels=["component"])
        for name, component in components.items():
            ready.add_metric([name], float(component["ready"]))
        yield ready
        try:
            with self._services.database.read() as session:
                yield from self._database_metrics(session)
        except errors.Unavailable:
            return

    def _database_metrics(self, session: Session) -> Iterator[Metric]:
        timeout = self._services.settings.worker_timeout_seconds
        queued, oldest, current = session.execute(
            select(func.count(), func.min(Job.queued_at), now()).where(Job.status == Status.QUEUED)
        ).one()
        running = session.scalar(select(func.count()).where(Job.status == Status.RUNNING)) or 0
        count, slots = workers.alive(session, timeout)
        seconds = (current - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily("backpropd_queued_jobs", "Jobs of all tenants that wait for a worker", queued)
        yield GaugeMetricFamily("backpropd_oldest_queued_seconds", "How long the oldest of them has waited", seconds)
        yield GaugeMetricFamily("backpropd_running_jobs", "Jobs of all tenants that are trained now", running)
        yield GaugeMetricFamily("backpropd_workers", "Workers that sent a heartbeat lately", count)
        yield GaugeMetricFamily("backpropd_worker_slots", "Jobs that these can train at the same time", slots)
        failed = GaugeMetricFamily("backpropd_program_errors", "Unexpected errors since its start", labels=["program"])
        for program, number in {"api": logs.error_count(), **workers.failures(session)}.items():
            failed.add_metric([program], number)
        yield failed
