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
from backpropd.store.database import Database
from service.doorbell import Doorbell
from service.keyring import Keyring
from service.limiter import Limiter
from service.news import News
from service.places import Places
from service.tables import Tables
from service.watcher import Watcher

CROWDED_SECONDS = 0.5


@dataclass
class World:
    """Settings, the database, the blobs, the broker, and the places for what holds a thread or a core."""

    settings: Settings
    database: Database
    blobs: Blobs
    celery: Celery
    doorbell: Doorbell = field(init=False)
    watcher: Watcher = field(init=False)
    tables: Tables = field(init=False)
    news: News = field(init=False)
    keyring: Keyring = field(init=False)
    reader: tabular.Reader = field(init=False)
    limiter: Limiter = field(init=False)
    streams: Places = field(init=False)
    waits: threading.BoundedSemaphore = field(init=False)
    had_room: dict[str, float] = field(default_factory=dict)  # tenants, and when they last had
    bodies: Places = field(init=False)
    looks: Places = field(init=False)
    registry: CollectorRegistry = field(init=False)
    requests: Histogram = field(init=False)

    def __post_init__(self) -> None:
        self.doorbell = Doorbell(self.celery)
        self.watcher = Watcher(self.database)
        self.tables = Tables(self.database)
        self.news = News(self.database)
        self.keyring = Keyring(self.database)
        self.reader = _reader(self.settings)
        broker = self.settings.broker_url if self.settings.mode == "keys" else ""  # one user has one process
        self.limiter = Limiter(broker, self.settings.max_requests_per_minute)
        most = self.settings
        self.streams = Places("event streams", most.max_event_streams, most.max_event_streams_per_key)
        self.bodies = Places("requests with a body", most.max_bodies, most.max_bodies_per_key)
        looks = "looks inside a model (surfaces, curves, traces, weights)"
        self.looks = Places(looks, most.max_looks, most.max_looks_per_key)
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


def _reader(settings: Settings) -> tabular.Reader:
    limits = tabular.TableLimits(
        settings.max_rows, settings.max_columns, settings.max_cells, settings.max_category_levels
    )
    confinement = tabular.Confinement(settings.read_memory_bytes, settings.read_cpu_seconds, settings.read_seconds)
    return tabular.Reader(limits, confinement, settings.max_reads)


def make_world(settings: Settings) -> World:
    """A world from settings; nothing is connected before it is used."""
    return World(
        settings,
        Database(settings.database_url),
        Blobs(settings.blobs_url, settings.data_dir / "scratch"),
        queue.make_app(settings, impatient=True),
    )


def world() -> World:
    """The world of the app that answers this request."""
    found: World = current_app.extensions["backpropd"]
    return found
