"""`python -m service [keys … | tenants … | audit]`: the API under granian, and the operator's commands."""

import argparse
import multiprocessing
import resource
import sys
from importlib.util import find_spec

from backpropd import blas, logs
from backpropd.config import Settings, from_environment
from backpropd.errors import BackpropdError

STOP_SECONDS = 3  # for running requests to end; open event streams are cut, and their clients reconnect
HEADER_MILLISECONDS = 10_000  # for the headers of a request, and of the next one on the same connection
BUFFER_BYTES = 160 * 1024  # of a connection: the headers of a request, a part of its body, what is not yet sent
MAX_CONNECTIONS = 4_096  # open at a time; further ones wait
PROCESS_NAME = "python -m service"
MAX_OPEN_FILES = 10_240  # the most that macOS allows
LOG_CONFIG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"handlers": [], "propagate": True}}}


def main() -> None:
    """Serve until SIGTERM, or run an operator's command."""
    try:
        if sys.argv[1:]:
            _run_command()
        else:
            _serve(from_environment())
    except BackpropdError as error:
        sys.exit(f"{error.code}: {error.detail}")


def _run_command() -> None:
    from backpropd.store.sql import revision  # the database, which the process of the server does not need
    from service import admin_cli

    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    admin_cli.add_commands(parser.add_subparsers(required=True))
    arguments, settings = parser.parse_args(), from_environment()
    revision.refuse_newer(settings)
    admin_cli.run(settings, arguments)


def _serve(settings: Settings) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    settings.check_exposure()
    logs.set_up(settings)
    _refuse_newer_schema(settings)
    _raise_file_limit()
    blas.use_one_thread()  # requests have threads: more of BLAS would compete with them and with the workers
    Granian(
        "service.app:from_env",
        factory=True,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=BUFFER_BYTES),
        address=settings.host,
        port=settings.port,
        websockets=False,
        backpressure=MAX_CONNECTIONS,
        workers=1,
        workers_kill_timeout=STOP_SECONDS,
        process_name=PROCESS_NAME if find_spec("setproctitle") else None,
        respawn_failed_workers=True,
        log_access=False,
        log_dictconfig=LOG_CONFIG,
    ).serve()


def _refuse_newer_schema(settings: Settings) -> None:
    """End if a newer version has migrated the database; found out in a process that gives its memory back."""
    child = multiprocessing.get_context("fork").Process(target=_check_schema, args=(settings,))
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(child.exitcode)


def _check_schema(settings: Settings) -> None:
    from backpropd.store.sql import revision

    try:
        revision.refuse_newer(settings)
    except BackpropdError as error:
        sys.exit(f"{error.code}: {error.detail}")


def _raise_file_limit() -> None:
    """Allow as many open files as the system permits: each idle connection has one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    if soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


if __name__ == "__main__":
    main()
