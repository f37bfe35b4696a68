"""The objects that views share: database, blobs, queue, limits and streams, made once for an app."""

from flask import current_app
from prometheus_client import CollectorRegistry, Histogram

from backpropd import queue, tabular
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from service.auth.authenticator import Authenticator
from service.dataset_cache import DatasetCache
from service.limits.concurrency_limit import ConcurrencyLimit
from service.limits.long_polls import LongPolls
from service.limits.rate_limiter import RateLimiter
from service.limits.storage_quota import StorageQuota
from service.streaming.event_feed import EventFeed
from service.streaming.event_stream import EventStreams
from service.streaming.job_watcher import JobWatcher
from service.worker_notifier import WorkerNotifier


class Services:
    """Made from settings; nothing is connected before it is used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
        self.celery = queue.make_app(settings, fail_fast=True)
        self.worker_notifier = WorkerNotifier(self.celery)
        self.dataset_cache = DatasetCache(self.database)
        self.reader = _reader(settings)
        self.authenticator = Authenticator(self.database)
        broker = settings.broker_url if settings.mode == "keys" else ""  # the mode `local` has one process
        self.rate_limiter = RateLimiter(broker, settings.max_requests_per_minute)
        self.storage_quota = StorageQuota(settings.max_tenant_bytes)
        self.long_polls = LongPolls(settings.max_waits)
        self.bodies = ConcurrencyLimit("requests with a body", settings.max_bodies, settings.max_bodies_per_key)
        inspections = "inspections of models (surfaces, curves, traces, weights, predictions of tables)"
        self.inspections = ConcurrencyLimit(inspections, settings.max_looks, settings.max_looks_per_key)
        self.job_watcher = JobWatcher(self.database)
        self.event_streams = EventStreams(
            self.job_watcher,
            EventFeed(self.database),
            ConcurrencyLimit("event streams", settings.max_event_streams, settings.max_event_streams_per_key),
            settings.event_stream_seconds,
        )
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "backpropd_request_seconds", "Requests", ["method", "route", "status"], registry=self.registry
        )


def _reader(settings: Settings) -> tabular.SandboxedReader:
    limits = settings.limits(tabular.TableLimits)
    sandbox_limits = tabular.SandboxLimits(settings.read_memory_bytes, settings.read_cpu_seconds, settings.read_seconds)
    return tabular.SandboxedReader(limits, sandbox_limits, settings.max_reads)


def services() -> Services:
    """The services of the app that answers this request."""
    found: Services = current_app.extensions["backpropd"]
    return found
