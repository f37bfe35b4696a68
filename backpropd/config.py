"""Settings: read from BACKPROPD_* once, frozen, and passed in. Importing this module reads nothing."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backpropd import errors


def is_loopback(host: str) -> bool:
    """Whether only this machine can mean this name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """What the deployed programs need to know. Times are seconds, sizes are bytes.

    Every field is read from the environment variable BACKPROPD_ + its name in capitals, or from a file called
    backpropd_ + its name in the folder BACKPROPD_SECRETS_DIR.

    In the mode `local` nobody needs a key and only this machine is answered; in the mode `keys` everybody needs one.
    """

    model_config = SettingsConfigDict(env_prefix="BACKPROPD_", frozen=True, extra="ignore")

    mode: Literal["local", "keys"] = "local"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("var")
    workers: int = Field(default_factory=_cores, ge=1)
    database_url: str = ""
    broker_url: str = ""
    blobs_url: str = ""
    log_format: Literal["people", "json"] = "people"
    log_requests: bool = False  # a line for each

    # the API
    threads: int = Field(default=600, ge=2)  # more than can be held by what follows: the others are answered at once
    max_event_streams: int = Field(default=256, ge=1)
    max_waits: int = Field(default=32, ge=1)
    max_bodies: int = Field(default=256, ge=1)  # requests with a body, which a slow client may take its time to send
    max_bodies_per_key: int = Field(default=0, ge=0)  # 0: see with_defaults
    body_bytes_per_second: int = Field(default=1024, ge=1)  # at least: a body may fall behind it for so long
    body_grace_seconds: float = Field(default=10.0, gt=0)
    max_event_streams_per_key: int = Field(default=0, ge=0)  # 0: see with_defaults
    max_looks: int = Field(default_factory=lambda: 2 * _cores(), ge=1)  # inside models, that are computed at once
    max_looks_per_key: int = Field(default=0, ge=0)  # 0: see with_defaults
    max_requests_per_minute: int = Field(default=0, ge=0)  # by one key; 0: see with_defaults
    event_stream_seconds: float = 300.0
    max_upload_bytes: int = 2 * 1024**3
    max_json_bytes: int = 32 * 1024**2
    max_rows: int = Field(default=50_000_000, ge=1)
    max_columns: int = Field(default=20_000, ge=1)
    max_cells: int = Field(default=200_000_000, ge=1)
    max_category_levels: int = Field(default=1_000, ge=2)
    max_reads: int = Field(default_factory=_cores, ge=1)  # tables that are read at once, each in a process of its own
    read_memory_bytes: int = 1024**3  # for each, beside its libraries
    read_cpu_seconds: int = Field(default=300, ge=1)
    read_seconds: int = Field(default=600, ge=1)
    max_epochs: int = 10_000_000
    max_parameters: int = 50_000_000
    max_prediction_rows: int = 100_000
    max_trace_rows: int = 100
    max_trace_numbers: int = 2_000_000
    max_surface_operations: int = 10_000_000_000
    max_tenant_bytes: int = 1024**4

    # the jobs' life
    heartbeat_seconds: float = 5.0
    lease_seconds: float = 30.0
    fence_seconds: float = 20.0
    sweep_seconds: float = 5.0
    checkpoint_seconds: float = 5.0
    flush_seconds: float = 0.25
    idempotency_seconds: float = 24 * 3600.0
    max_losses: int = 3  # of its worker, without any progress in between
    turn_seconds: float = 60.0
    max_job_seconds: float = 24 * 3600.0
    max_queued_jobs: int = 200_000
    max_queued_jobs_per_tenant: int = 100_000
    max_running_jobs_per_tenant: int = Field(default=1_000, ge=1)
    worker_memory_bytes: int = 2 * 1024**3

    def with_defaults(self) -> Settings:
        """The same settings with an absolute data folder, and the URLs that were left out pointing into it.

        The broker has no default of its own: the embedded stack starts one and passes its URL down. What one key may do
        at a time is left to the one user of the mode `local` whole, and to each key of several in parts.
        """
        folder = self.data_dir.resolve()
        alone = self.mode == "local"
        return self.model_copy(
            update={
                "data_dir": folder,
                "database_url": self.database_url or f"sqlite:///{folder / 'backpropd.db'}",
                "blobs_url": self.blobs_url or (folder / "blobs").as_uri(),
                "max_bodies_per_key": self.max_bodies_per_key or (self.max_bodies if alone else 64),
                "max_event_streams_per_key": self.max_event_streams_per_key
                or (self.max_event_streams if alone else 32),
                "max_looks_per_key": self.max_looks_per_key
                or (self.max_looks if alone else max(self.max_looks // 2, 1)),
                "max_requests_per_minute": self.max_requests_per_minute or (600_000 if alone else 30_000),
            }
        )

    @property
    def worker_timeout_seconds(self) -> float:
        """A worker that was not heard of for so long may be gone: three heartbeats."""
        return 3 * self.heartbeat_seconds

    def check_exposure(self) -> None:
        """Raise `errors.Misconfigured` where a service that asks for no key could be reached from elsewhere."""
        if self.mode == "local" and not is_loopback(self.host):
            raise errors.Misconfigured(
                f"BACKPROPD_HOST={self.host} can be reached from other machines, and without keys anybody there could "
                "use this service. Set BACKPROPD_MODE=keys, and make the first key with `python -m service keys "
                "create`; or leave BACKPROPD_HOST at 127.0.0.1"
            )


def from_environment() -> Settings:
    """The settings that this process was started with. Raises `errors.Misconfigured`."""
    try:
        return Settings(_secrets_dir=os.environ.get("BACKPROPD_SECRETS_DIR")).with_defaults()
    except ValidationError as error:
        wrong = (f"BACKPROPD_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        raise errors.Misconfigured("; ".join(wrong)) from error
