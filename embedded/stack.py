"""The programs of the stack: the migration, then Redis, then the API, the worker and the reaper in parallel."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backpropd.config import Settings
from embedded import address, data_folder, redis_server
from embedded.address import Address
from embedded.fork_server import Launch, execute
from embedded.output import Output
from embedded.program import Program
from embedded.supervisor import Supervisor

# Seconds. All grace times together stay below the 30 s in which the whole stack has to end.
_GRACE = 4.0
_WORKER_GRACE = 15.0
_WORKER_READY_TIMEOUT = 300.0  # it may have to compile its kernels first


def run(settings: Settings, stream: BinaryIO, launch: Launch = execute) -> None:
    """Run the stack in the foreground until a signal stops it, with its output on `stream`.

    Raises `Conflict` for a port or data folder in use and `Misconfigured` for exposure without keys, before anything
    starts; `Unavailable` if a program cannot run.
    """
    settings.check_exposure()
    with data_folder.locked(settings.data_dir) as lock, data_folder.address_file(settings.data_dir) as address_file:
        api = address.free(settings.host, settings.port)
        with _broker(settings) as (broker_url, redis_programs):
            environment = _environment(settings, api, broker_url)
            programs = [Program("migrate", _python("worker", "migrate")), *redis_programs, *_programs(api)]
            output = Output(stream, [program.name for program in programs])

            def on_ready() -> None:
                data_folder.write_address(address_file, api.url)
                everywhere = "" if api.host == api.reachable_host else f", listening on {api.host}"
                output.announce(
                    f"backpropd is ready at {api.url}{everywhere} (data in {settings.data_dir}; Ctrl-C stops it)"
                )

            Supervisor(programs, environment, output, launch=launch).run(on_ready, [lock])


def _programs(api: Address) -> list[Program]:
    api_ready, worker_ready = lambda: api.answers("/healthz"), lambda: api.answers("/readyz")
    return [
        Program("api", _python("service"), api_ready, grace=_GRACE, shares_libraries=True),
        Program(
            "worker",
            _python("worker", "run"),
            worker_ready,
            _WORKER_READY_TIMEOUT,
            grace=_WORKER_GRACE,
            parallel=True,
            shares_libraries=True,
        ),
        Program(
            "reaper",
            _python("worker", "reap"),
            lambda: True,
            grace=_GRACE,
            parallel=True,
            required=False,
            shares_libraries=True,
        ),
    ]


@contextmanager
def _broker(settings: Settings) -> Iterator[tuple[str, list[Program]]]:
    """The broker's URL, and the program that runs it unless it is external."""
    if settings.broker_url:
        yield settings.broker_url, []
        return
    home = settings.data_dir / "redis"
    home.mkdir(mode=0o700, exist_ok=True)
    with redis_server.socket_path(home) as socket:
        yield redis_server.broker_url(socket), [_redis(home, socket)]


def _redis(home: Path, socket: Path) -> Program:
    return Program(
        "redis",
        redis_server.command(home, *redis_server.listen_at(socket)),
        lambda: redis_server.answers(socket),
        grace=_GRACE,
        advice=f"If its append-only file is damaged, move {home} away and start again: it contains only wake-up "
        "messages. The jobs are in SQL, and none is lost.",
    )


def _python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _environment(settings: Settings, api: Address, broker_url: str) -> dict[str, str]:
    """This process's environment, with what was decided here for all programs."""
    defaults = {"BACKPROPD_PRELOAD_KERNELS": "false"}  # a laptop's stack is idle most of the time
    decided = {
        "BACKPROPD_DATA_DIR": str(settings.data_dir),
        "BACKPROPD_PORT": str(api.port),
        "BACKPROPD_BROKER_URL": broker_url,
        "BACKPROPD_BROKER_PASSWORD": "",  # it is in the URL
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **os.environ, **decided}
