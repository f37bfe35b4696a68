"""The settings of all programs: read from BACKPROPD_* once, frozen, and passed in. Importing has no effect."""

from __future__ import annotations

import ipaddress
import os
import re
from functools import lru_cache
from inspect import get_annotations
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backpropd import errors

Limits = TypeVar("Limits")

DATABASE_URL = r"^(sqlite://.*|postgresql\+psycopg://.+)?$"
OTLP_ENDPOINT = r"^(https?://.+)?$"
PATH_PREFIX = r"^(/[A-Za-z0-9._~-]+)*$"
BROKER_URL = r"^((rediss?|redis\+socket|sentinel)://.+)?$"


@lru_cache(64)
def is_loopback(host: str) -> bool:
    """Whether this name or address is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _with_password(url: str, password: str) -> str:
    """The URL of a Redis with its user and this password, which is escaped; the URL itself if it is empty."""
    login = re.compile(r"://(?:([^/@:]*)(?::[^/@]*)?@)?")
    return login.sub(lambda found: f"://{found[1] or ''}:{quote(password, safe='')}@", url, 1) if password else url


def _limit(public_name: str, default: float, **options: Any) -> Any:
    """A field that `GET /v1/limits` shows under its public name."""
    return Field(default, json_schema_extra={"public_name": public_name}, **options)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """The settings of the deployed programs. Names that end in `_seconds` and `_bytes` say their unit.

    Each field is read from the environment variable BACKPROPD_ + its name in capitals, or from a file called
    backpropd_ + its name in the folder BACKPROPD_SECRETS_DIR.
    """

    model_config = SettingsConfigDict(env_prefix="BACKPROPD_", frozen=True, extra="ignore")

    mode: Literal["local", "keys"] = Field("local", description="local: no keys, this machine only; keys: API keys")
    host: str = Field("127.0.0.1", description="the address that the API listens on")
    port: int = Field(8000, ge=0, le=65535, description="the port that the API listens on; 0 for any free one")
    data_dir: Path = Field(Path("var"), description="the folder for the database, blobs and compiled kernels")
    workers: int = Field(default_factory=_cores, ge=1, description="training processes of one worker: the cores")
    database_url: str = Field(
        "", pattern=DATABASE_URL, description="sqlite:///path, or a URL of PostgreSQL; left out: SQLite in data_dir"
    )
    broker_url: str = Field(
        "", pattern=BROKER_URL, description="a Redis URL; left out: `make run` starts its own Redis"
    )
    database_password: str = Field(
        "",
        description="the password of PostgreSQL, if it is not in its URL; of several lines, the first that is accepted",
    )
    broker_password: str = Field("", description="the password of the broker, if it is not in its URL: any characters")
    blobs_url: str = Field("", description="a folder, or an fsspec URL, for datasets; left out: in data_dir")
    log_format: Literal["people", "json"] = Field("people", description="plain log lines, or JSON")
    otlp_endpoint: str = Field(
        "",
        pattern=OTLP_ENDPOINT,
        description="a collector of OpenTelemetry, such as http://host:4318; left out: no traces",
    )
    min_free_bytes: int = Field(16 * 1024**2, ge=0, description="free space of the disk below which /readyz is 503")
    log_requests: bool = Field(False, description="log a line for each request")
    health_file: Path | None = Field(
        None, description="a file that the worker and the reaper touch every few seconds while they are well"
    )

    # the API
    metrics_host: str = Field("127.0.0.1", description="the address of the metrics for the operator")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="their port, which needs no key and shows the whole service; 0: none"
    )
    path_prefix: str = Field(
        "", pattern=PATH_PREFIX, description="the path, such as /ml, at which a proxy serves the API; it removes it"
    )
    threads: int = Field(600, ge=2, description="threads of the API, and requests in progress")
    max_requests_per_key: int = _limit("requests_at_once", 0, ge=0, description="0: all (mode local) or 100")
    max_working: int = Field(
        3, ge=1, description="requests that compute concurrently; others wait, and tenants take turns"
    )
    max_event_streams: int = Field(256, ge=1, description="concurrently open event streams")
    max_waits: int = Field(32, ge=1, description="concurrent requests that wait for the end of a job (?wait=)")
    max_bodies: int = Field(256, ge=1, description="concurrent requests whose body is being received")
    max_bodies_per_key: int = _limit("bodies", 0, ge=0, description="of one key; 0: all (mode local) or 64")
    body_bytes_per_second: int = _limit(
        "body_bytes_per_second", 1024, ge=1, description="the minimum average rate of a request's body"
    )
    body_grace_seconds: float = Field(10.0, gt=0, description="how long a body may stay behind that rate")
    answer_bytes_per_second: int = _limit(
        "answer_bytes_per_second", 16 * 1024, ge=1, description="the minimum average rate at which an answer is read"
    )
    answer_grace_seconds: float = Field(30.0, gt=0, description="how long a client may stay behind that rate")
    max_event_streams_per_key: int = _limit("event_streams", 0, ge=0, description="0: all (mode local) or 32")
    max_looks: int = Field(
        default_factory=lambda: 2 * _cores(), ge=1, description="inspections of models computed concurrently"
    )
    max_looks_per_key: int = _limit("looks", 0, ge=0, description="0: all (mode local) or half of them")
    max_requests_per_minute: int = _limit(
        "requests_per_minute", 0, ge=0, description="of one key; 0: 600,000 (mode local) or 30,000"
    )
    api_memory_bytes: int = _limit(
        "api_memory_bytes", 2 * 1024**3, ge=1, description="memory of the API's processes; requests share half of it"
    )
    event_stream_seconds: float = Field(300.0, description="when an event stream is closed; clients reconnect")
    max_upload_bytes: int = _limit("upload_bytes", 2 * 1024**3, description="one uploaded file")
    max_json_bytes: int = _limit("json_bytes", 32 * 1024**2, description="one JSON body")
    max_rows: int = _limit("rows", 50_000_000, ge=1, description="rows of a dataset")
    max_columns: int = _limit("columns", 20_000, ge=1, description="columns of a dataset")
    max_cells: int = _limit("cells", 200_000_000, ge=1, description="rows times columns of a dataset")
    max_category_levels: int = _limit("category_levels", 1_000, ge=2, description="distinct values of a category")
    max_reads: int = Field(
        default_factory=lambda: max(_cores(), 2),
        ge=1,
        description="tables read concurrently, each in its own process",
    )
    max_waiting_tables: int = _limit(
        "waiting_tables", 0, ge=0, description="tables of one tenant that wait to be read; 0: 256 (mode local) or 16"
    )
    read_memory_bytes: int = Field(1024**3, description="memory of such a process, besides its libraries")
    read_cpu_seconds: int = Field(300, ge=1, description="CPU time of reading one table")
    read_seconds: int = Field(600, ge=1, description="time of reading one table")
    max_epochs: int = _limit("epochs", 10_000_000, description="epochs of one job")
    max_parameters: int = _limit("parameters", 50_000_000, description="parameters of one network")
    max_prediction_rows: int = _limit("prediction_rows", 100_000, description="rows of one prediction request")
    max_answer_cells: int = _limit(
        "answer_cells", 4_000_000, ge=1, description="values in a JSON answer of predictions, weights or a curve"
    )
    max_preview_cells: int = _limit("preview_cells", 200_000, ge=1, description="cells of a look at a dataset's rows")
    model_cache_bytes: int = Field(512 * 1024**2, ge=0, description="memory for the models that were used last")
    max_trace_rows: int = _limit("trace_rows", 100, description="rows of one trace, or to explain")
    max_trace_numbers: int = Field(2_000_000, description="numbers in the answer to one trace or explanation")
    max_gradient_check_parameters: int = _limit(
        "gradient_check_parameters", 5_000, description="parameters of a model whose gradient is checked"
    )
    max_gradient_check_operations: int = Field(2_000_000_000, description="multiplications of one gradient check")
    max_surface_operations: int = Field(
        10_000_000_000, description="multiplications of one loss surface, explanation or importance"
    )
    max_tenant_bytes: int = _limit("stored_bytes", 1024**4, description="all that one tenant stores")
    max_job_bytes: int = _limit("job_bytes", 2 * 1024**2, description="the description of one job: its spec and notes")

    # jobs
    preload_kernels: bool = Field(
        True,
        description="load the compiled kernels when a worker starts, so that its processes share them; false: each "
        "process at its first job, as in the one-command stack, which is smaller while it is idle",
    )
    training_niceness: int = Field(
        5, ge=0, le=19, description="how far the system prefers other programs, such as the API, to training processes"
    )
    heartbeat_seconds: float = Field(5.0, description="between two renewals of a lease")
    lease_seconds: float = Field(30.0, description="after the last renewal the reaper requeues the job")
    fence_seconds: float = Field(20.0, description="after the last renewal the worker drops the job itself")
    reap_seconds: float = Field(5.0, description="between two runs of the reaper")
    checkpoint_seconds: float = Field(5.0, description="between two checkpoints, at least")
    flush_seconds: float = Field(0.25, description="between two writes of epochs")
    idempotency_seconds: float = Field(24 * 3600.0, description="how long an Idempotency-Key is remembered")
    max_crashes: int = Field(3, description="crashes of workers, without progress in between, that fail a job")
    turn_seconds: float = Field(60.0, description="how long a job trains before it yields to waiting jobs")
    max_job_seconds: float = _limit("job_seconds", 24 * 3600.0, description="training time of one job")
    max_queued_jobs: int = Field(200_000, description="queued jobs of all tenants")
    max_queued_jobs_per_tenant: int = _limit("queued_jobs", 100_000, description="queued jobs of one tenant")
    max_running_jobs_per_tenant: int = _limit("running_jobs", 1_000, ge=1, description="running jobs of one tenant")
    worker_memory_bytes: int = Field(
        2 * 1024**3, description="memory of one training process; larger jobs are rejected"
    )

    def with_defaults(self) -> Settings:
        """The same settings with an absolute data folder, and with the defaults that depend on other settings.

        `broker_url` has no default: the embedded stack starts a broker and passes its URL on.
        """
        folder = self.data_dir.resolve()
        single_user = self.mode == "local"
        return self.model_copy(
            update={
                "data_dir": folder,
                "database_url": self.database_url or f"sqlite:///{folder / 'backpropd.db'}",
                "broker_url": _with_password(self.broker_url, self.broker_password.partition("\n")[0]),
                "broker_password": "",  # it is in the URL now
                "blobs_url": self.blobs_url or str(folder / "blobs"),
                "max_requests_per_key": self.max_requests_per_key or (self.threads if single_user else 100),
                "max_waiting_tables": self.max_waiting_tables or (256 if single_user else 16),
                "max_bodies_per_key": self.max_bodies_per_key or (self.max_bodies if single_user else 64),
                "max_event_streams_per_key": self.max_event_streams_per_key
                or (self.max_event_streams if single_user else 32),
                "max_looks_per_key": self.max_looks_per_key
                or (self.max_looks if single_user else max(self.max_looks // 2, 1)),
                "max_requests_per_minute": self.max_requests_per_minute or (600_000 if single_user else 30_000),
            }
        )

    def share(self, total: int) -> int:
        """How many of `total` slots one tenant may have: all in the mode local, otherwise half of them."""
        return total if self.mode == "local" else (total + 1) // 2

    def public_limits(self) -> dict[str, float]:
        """The values of `GET /v1/limits`, by public name."""
        extras = {name: field.json_schema_extra for name, field in type(self).model_fields.items()}
        return {
            str(extra["public_name"]): getattr(self, name) for name, extra in extras.items() if isinstance(extra, dict)
        }

    @property
    def worker_timeout_seconds(self) -> float:
        """A worker whose last heartbeat is older may be lost: three heartbeats."""
        return 3 * self.heartbeat_seconds

    @property
    def reaper_timeout_seconds(self) -> float:
        """A reaper whose last heartbeat is older may be lost."""
        return max(self.worker_timeout_seconds, 3 * self.reap_seconds)

    def limits(self, kind: type[Limits]) -> Limits:
        """The limits of a dataclass, each from the setting of its name, perhaps behind `max_`."""
        fields = type(self).model_fields
        names = {name: f"max_{name}" if f"max_{name}" in fields else name for name in get_annotations(kind)}
        return kind(**{name: getattr(self, setting) for name, setting in names.items()})

    def check_exposure(self) -> None:
        """Raise `errors.Misconfigured` if a service without keys could be reached from other machines."""
        if self.mode == "local" and not is_loopback(self.host):
            raise errors.Misconfigured(
                f"BACKPROPD_HOST={self.host} can be reached from other machines, and without keys anyone there could "
                "use this service. Set BACKPROPD_MODE=keys, and create the first key with `python -m service keys "
                "create`; or leave BACKPROPD_HOST at 127.0.0.1"
            )


def passwords(name: Literal["database_password", "broker_password"]) -> list[str]:
    """The lines of this setting as it is now: read for each connection, so that its file may change meanwhile."""
    text: str = getattr(_read(), name)
    return [line for line in text.splitlines() if line]


def from_environment() -> Settings:
    """The settings in this process's environment. Raises `errors.Misconfigured`."""
    return _read().with_defaults()


def _read() -> Settings:
    try:
        return Settings(_secrets_dir=os.environ.get("BACKPROPD_SECRETS_DIR"))
    except ValidationError as error:
        wrong = (f"BACKPROPD_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        raise errors.Misconfigured("; ".join(wrong)) from error
