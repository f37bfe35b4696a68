"""The objects that views share: database, blobs, queue, limits and streams, made once for an app."""

from flask import current_app, has_request_context, request
from prometheus_client import CollectorRegistry, Histogram

from backpropd import queue, tabular
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.quota import StorageQuota
from backpropd.store.sql.database import Database
from service.auth.authenticator import Authenticator
from service.costly.processes import CostlyProcess
from service.dataset_cache import DatasetCache
from service.limits.admission import Admission, stop_working
from service.limits.concurrency_limit import ConcurrencyLimit
from service.limits.fair_slots import FairSlots
from service.limits.long_polls import LongPolls
from service.limits.memory_limit import MemoryLimit
from service.limits.rate_limiter import RateLimiter
from service.model_cache import ModelCache
from service.readiness import Readiness
from service.streaming.event_feed import EventFeed
from service.streaming.event_stream import EventStreams
from service.streaming.job_watcher import JobWatcher
from service.worker_notifier import WorkerNotifier

MAX_PROBES, MAX_PROBES_PER_KEY = 64, 8
PATIENCE_SECONDS = 0.5  # for the slot that the last request of a client is just giving back
MAX_COSTLY = 4  # that the costly process computes concurrently; others wait, and tenants take turns


class Services:
    """Made from settings; nothing is connected before it is used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.database.before_wait = _let_others_work
        self.blobs = Blobs(settings.blobs_url, settings.data_dir / "scratch")
        self.celery = queue.make_app(settings, fail_fast=True)
        self.worker_notifier = WorkerNotifier(self.celery)
        self.dataset_cache = DatasetCache(self.database)
        self.model_cache = ModelCache(self.database, settings.model_cache_bytes)
        self.reader = _reader(settings)
        self.authenticator = Authenticator(self.database)
        broker = settings.broker_url if settings.mode == "keys" else ""  # the mode `local` has one process
        self.rate_limiter = RateLimiter(broker, settings.max_requests_per_minute)
        self.storage_quota = StorageQuota(settings.max_tenant_bytes)
        self.admission = Admission(
            _limit(settings, "requests", settings.threads, settings.max_requests_per_key),
            FairSlots("requests", settings.max_working, settings.share(settings.max_working), settings.threads),
            _limit(settings, "readiness checks", MAX_PROBES, MAX_PROBES_PER_KEY),
        )
        self.table_reads = FairSlots(
            "tables", settings.max_reads, settings.share(settings.max_reads), settings.max_waiting_tables
        )
        self.costly: CostlyProcess | None = None
        self.costly_turns = FairSlots("costly requests", MAX_COSTLY, settings.share(MAX_COSTLY), settings.threads)
        waits = "requests that wait for a job"
        self.long_polls = LongPolls(_limit(settings, waits, settings.max_waits, settings.max_waits))
        self.bodies = _limit(settings, "requests with a body", settings.max_bodies, settings.max_bodies_per_key)
        inspections = "inspections of models (surfaces, curves, traces, explanations, weights, predictions of tables)"
        per_tenant = settings.share(settings.max_looks)
        self.inspections = ConcurrencyLimit(
            inspections, settings.max_looks, per_tenant, settings.max_looks_per_key, PATIENCE_SECONDS
        )
        self.memory = MemoryLimit(settings.api_memory_bytes, settings.share)
        self.job_watcher = JobWatcher(self.database)
        self.event_streams = EventStreams(
            self.job_watcher,
            EventFeed(self.database),
            _limit(settings, "event streams", settings.max_event_streams, settings.max_event_streams_per_key),
            settings.event_stream_seconds,
        )
        self.readiness = Readiness(settings, self.database, self.celery, self.blobs)
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "backpropd_request_seconds", "Requests", ["method", "route", "status"], registry=self.registry
        )


def _limit(settings: Settings, what: str, total: int, per_key: int) -> ConcurrencyLimit:
    return ConcurrencyLimit(what, total, settings.share(total), per_key)


def _reader(settings: Settings) -> tabular.SandboxedReader:
    limits = settings.limits(tabular.TableLimits)
    sandbox_limits = tabular.SandboxLimits(settings.read_memory_bytes, settings.read_cpu_seconds, settings.read_seconds)
    return tabular.SandboxedReader(limits, sandbox_limits)


def _let_others_work() -> None:
    """Called when this request waits for the database. It takes no place again: few requests at a time come to that."""
    if has_request_context():
        stop_working(request.environ)


def services() -> Services:
    """The services of the app that answers this request."""
    found: Services = current_app.extensions["backpropd"]
    return found
