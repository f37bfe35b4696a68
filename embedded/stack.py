"""The parts of the stack: migrations, then Redis, then the API, the worker and the reaper, all at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backpropd.config import Settings
from embedded import address, folder, redis
from embedded.address import Address
from embedded.output import Output
from embedded.program import Part
from embedded.supervisor import Supervisor

# Grace times, in seconds. All of them together stay below the 30 s in which the whole stack has to end.
_GRACE = 4.0
_WORKER_GRACE = 15.0
# The worker compiles its kernels before it is ready, once per data folder.
_WORKER_READY = 300.0


def run(settings: Settings, stream: BinaryIO) -> None:
    """Run the stack in the foreground until a signal stops it; its lines go to `stream`.

    Raises `Conflict` for a taken port or data folder and `Misconfigured` for an open door before anything starts,
    `Unavailable` when a part cannot run.
    """
    settings.check_exposure()
    with folder.claimed(settings.data_dir) as lock, folder.address_file(settings.data_dir) as address_file:
        api = address.free(settings.host, settings.port)
        with _broker(settings) as (broker_url, redis_parts):
            environment = _environment(settings, api, broker_url)
            parts = [_migrate(), *redis_parts, *_programs(api, _readiness(settings, api, environment))]
            output = Output(stream, [part.name for part in parts])

            def announce() -> None:
                folder.write_address(address_file, api.url)
                output.say(f"backpropd is ready at {api.url} (data in {settings.data_dir}; Ctrl-C stops it)")

            Supervisor(parts, environment, output).run(announce, keep=[lock])


def _migrate() -> Part:
    return Part("migrate", _python("worker", "migrate"))


def _readiness(settings: Settings, api: Address, environment: Mapping[str, str]) -> Callable[[], bool]:
    """Whether the stack can train: asked by HTTP, or of a program beside the database where HTTP takes a key."""
    if settings.mode == "local":
        return lambda: api.answers("/readyz")
    command = _python("worker", "ready")
    return lambda: subprocess.run(command, env=environment, capture_output=True).returncode == 0


def _programs(api: Address, ready: Callable[[], bool]) -> list[Part]:
    return [
        Part("api", _python("service"), lambda: api.answers("/healthz"), grace=_GRACE),
        Part("worker", _python("worker", "run"), ready, ready_within=_WORKER_READY, grace=_WORKER_GRACE, beside=True),
        Part("reaper", _python("worker", "reap"), lambda: True, grace=_GRACE, beside=True),
    ]


@contextmanager
def _broker(settings: Settings) -> Iterator[tuple[str, list[Part]]]:
    """The broker's URL, and the parts that it takes: none if somebody else runs it."""
    if settings.broker_url:
        yield settings.broker_url, []
        return
    home = settings.data_dir / "redis"
    home.mkdir(mode=0o700, exist_ok=True)
    with redis.socket_path(home) as socket:
        yield redis.broker_url(socket), [_redis(home, socket)]


def _redis(home: Path, socket: Path) -> Part:
    return Part(
        "redis",
        redis.command(home, *redis.at_socket(socket)),
        lambda: redis.answers(socket),
        grace=_GRACE,
        advice=f"If its append-only file is damaged, move {home} away and start again: it holds only the news that "
        "there is work. The jobs are in SQL, and none is lost.",
    )


def _python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _environment(settings: Settings, api: Address, broker_url: str) -> dict[str, str]:
    """Ours, with what was decided here: the programs must not decide it again, each for itself."""
    decided = {
        "BACKPROPD_DATA_DIR": str(settings.data_dir),
        "BACKPROPD_PORT": str(api.port),
        "BACKPROPD_BROKER_URL": broker_url,
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **decided}
