"""What the views need of the world around them, made once when the app is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from celery import Celery
from flask import current_app
from prometheus_client import CollectorRegistry, Histogram

from backpropd import queue, tabular
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.sql.database import Database
from service.auth.authenticator import Authenticator
from service.dataset_cache import DatasetCache
from service.limits.concurrency_limits import ConcurrencyLimit
from service.limits.rate_limiter import RateLimiter
from service.streaming.event_feed import EventFeed
from service.streaming.job_watcher import JobWatcher
from service.worker_notifier import WorkerNotifier

CROWDED_SECONDS = 0.5


@dataclass
class Services:
    """Settings, the database, the blobs, the broker, and the places for what holds a thread or a core."""

    settings: Settings
    database: Database
    blobs: Blobs
    celery: Celery
    worker_notifier: WorkerNotifier = field(init=False)
    job_watcher: JobWatcher = field(init=False)
    dataset_cache: DatasetCache = field(init=False)
    event_feed: EventFeed = field(init=False)
    authenticator: Authenticator = field(init=False)
    reader: tabular.SandboxedReader = field(init=False)
    rate_limiter: RateLimiter = field(init=False)
    streams: ConcurrencyLimit = field(init=False)
    waits: threading.BoundedSemaphore = field(init=False)
    had_room: dict[str, float] = field(default_factory=dict)  # tenants, and when they last had
    bodies: ConcurrencyLimit = field(init=False)
    inspections: ConcurrencyLimit = field(init=False)
    registry: CollectorRegistry = field(init=False)
    requests: Histogram = field(init=False)

    def __post_init__(self) -> None:
        self.worker_notifier = WorkerNotifier(self.celery)
        self.job_watcher = JobWatcher(self.database)
        self.dataset_cache = DatasetCache(self.database)
        self.event_feed = EventFeed(self.database)
        self.authenticator = Authenticator(self.database)
        self.reader = _reader(self.settings)
        broker = self.settings.broker_url if self.settings.mode == "keys" else ""  # one user has one process
        self.rate_limiter = RateLimiter(broker, self.settings.max_requests_per_minute)
        most = self.settings
        self.streams = ConcurrencyLimit("event streams", most.max_event_streams, most.max_event_streams_per_key)
        self.bodies = ConcurrencyLimit("requests with a body", most.max_bodies, most.max_bodies_per_key)
        looks = "looks inside a model (surfaces, curves, traces, weights)"
        self.inspections = ConcurrencyLimit(looks, most.max_looks, most.max_looks_per_key)
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "backpropd_request_seconds", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.waits = threading.BoundedSemaphore(self.settings.max_waits)

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[float]:
        """How many seconds a request may wait: those it asked for, or a moment when every place is taken."""
        if seconds <= CROWDED_SECONDS or not self.waits.acquire(blocking=False):
            yield min(seconds, CROWDED_SECONDS)
            return
        try:
            yield seconds
        finally:
            self.waits.release()


def _reader(settings: Settings) -> tabular.SandboxedReader:
    limits = tabular.TableLimits(
        settings.max_rows, settings.max_columns, settings.max_cells, settings.max_category_levels
    )
    sandbox_limits = tabular.SandboxLimits(settings.read_memory_bytes, settings.read_cpu_seconds, settings.read_seconds)
    return tabular.SandboxedReader(limits, sandbox_limits, settings.max_reads)


def make_services(settings: Settings) -> Services:
    """A world from settings; nothing is connected before it is used."""
    return Services(
        settings,
        Database(settings.database_url),
        Blobs(settings.blobs_url, settings.data_dir / "scratch"),
        queue.make_app(settings, fail_fast=True),
    )


def services() -> Services:
    """The world of the app that answers this request."""
    found: Services = current_app.extensions["backpropd"]
    return found
